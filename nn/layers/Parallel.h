#pragma once
#include <ember/nn/layers/Numbered.h>

namespace ember::nn {

/// What becomes of the branches' results: all of them one behind the other, or one tensor.
enum class Join : u8 { List, Concat, Add, Mul };

struct ParallelOptions {
  Join join = Join::List;
  int axis = 1;  ///< of Concat
};

/// Modules beside each other, named "0", "1", ... unless given a name.
///
///   nn::Parallel({.join = nn::Join::Concat}, nn::Conv2D(8, 4), nn::Conv2D(8, 4, {.kernel = 3, .padding = 1}))
///
/// One input goes to every branch; several, as many as there are branches, one to each (as PuzzleLib's Parallel). A
/// branch may give several tensors. StateError for another number of inputs or without branches, ShapeError where the
/// results do not join.
class Parallel : public Numbered {
 public:
  using Module::forward;
  explicit Parallel(ParallelOptions options) : options_(options) {}
  template <class First, class... Rest>
  requires ModulesFor<Parallel, First, Rest...>
  explicit Parallel(First&& first, Rest&&... rest)
      : Parallel(ParallelOptions{}, std::forward<First>(first), std::forward<Rest>(rest)...) {}
  template <class First, class... Rest>
  requires(std::derived_from<std::remove_cvref_t<First>, Module>)
  Parallel(ParallelOptions options, First&& first, Rest&&... rest) : options_(options) {
    append(std::forward<First>(first));
    (append(std::forward<Rest>(rest)), ...);
  }

  Tensors forward(const Tensors& inputs) override;
  Args args() const override;
  static Parallel fromArgs(const Args& args);
  std::string details() const override;

 private:
  ParallelOptions options_;
};

}  // namespace ember::nn
