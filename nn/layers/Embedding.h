#pragma once
#include <optional>
#include <string>

#include <ember/nn/Module.h>

namespace ember::nn {

struct EmbeddingOptions {
  std::optional<i64> padding = {};  ///< a row that starts at 0 and does not train; negative: from the end
};

/// Rows of a table: indices (i64, any shape) -> the shape of the indices and [dim].
///
/// State: weight [rows, dim], from the standard normal distribution. ValueError unless rows, dim >= 1, for a padding
/// out of range, and in forward for an index out of range. As torch.nn.Embedding.
class Embedding : public Module {
 public:
  using Module::forward;
  Embedding(i64 rows, i64 dim, EmbeddingOptions options = {});
  Tensor forward(const Tensor& indices) override;
  Args args() const override;
  static Embedding fromArgs(const Args& a);
  std::string details() const override;

  Tensor weight;

 private:
  i64 rows_, dim_;
  EmbeddingOptions options_;
};

struct GroupedLinearOptions {
  bool bias = true;
};

/// `groups` independent linear maps of parts of the last axis: x [..., in] -> [..., out].
///
/// State: weight [groups, out/groups, in/groups], bias [out], uniform in ±1/sqrt(in/groups). ValueError unless groups
/// divides in and out, all 1 or more.
class GroupedLinear : public Module {
 public:
  using Module::forward;
  GroupedLinear(i64 in, i64 out, i64 groups, GroupedLinearOptions options = {});
  Tensor forward(const Tensor& x) override;
  Args args() const override;
  static GroupedLinear fromArgs(const Args& a);
  std::string details() const override;

  Tensor weight, bias;  ///< bias undefined without

 private:
  i64 in_, out_, groups_;
};

}  // namespace ember::nn
