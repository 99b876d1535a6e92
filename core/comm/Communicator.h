#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include <ember/core/DType.h>

namespace ember {

/// One rank's end of a group of `size` ranks that work on one thing together.
///
/// Every rank calls the same operations in the same order with spans of the same sizes; a call returns on a rank when
/// the group's result stands in its spans. Empty spans and groups of one rank are fine. Results depend on the ranks'
/// inputs alone, never on who came first.
///
/// Errors: a call that cannot end because the ranks disagree, or because a rank failed or left, throws StateError on
/// every rank that makes it, and the group is of no more use. Wrong arguments throw on the rank that gave them, before
/// it takes part. Where ranks are threads of one program, see inProcess().
/// Threads: a rank's communicators, those of its groups included, are used by one thread at a time.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  /// This rank, 0 to size() - 1.
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Sum over the ranks, added in rank order, ((r0 + r1) + r2) + ...: the same bits on every rank. Integers wrap
  /// around.
  virtual void allReduce(std::span<float> values) = 0;
  virtual void allReduce(std::span<double> values) = 0;
  virtual void allReduce(std::span<i64> values) = 0;
  /// all = [size, mine.size()], what each rank gave, in rank order. Throws ShapeError unless
  /// all.size() = size · mine.size().
  virtual void allGather(std::span<const std::byte> mine, std::span<std::byte> all) = 0;
  /// The bytes of rank `root` for everyone. Throws ValueError if there is no such rank.
  virtual void broadcast(std::span<std::byte> values, int root) = 0;
  /// Returns when every rank has come here.
  virtual void barrier() = 0;
  /// Ranks of equal colour form a group, ordered by (key, rank). Throws ValueError if the colour is negative.
  virtual std::shared_ptr<Communicator> split(int color, int key) = 0;

  /// The group that this rank is in, its ranks numbered as they are listed: split({{0, 1}, {2, 3}}).
  /// Throws ValueError unless every rank 0 to size() - 1 is in exactly one group and no group is empty, StateError if
  /// the ranks give different groups.
  std::shared_ptr<Communicator> split(const std::vector<std::vector<int>>& groups);

  /// allGather of any plain type: all = [size, mine.size()].
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void allGather(std::span<const T> mine, std::span<T> all) {
    allGather(std::as_bytes(mine), std::as_writable_bytes(all));
  }
  /// One value of each rank, in rank order.
  template <class T>
  requires std::is_trivially_copyable_v<T> std::vector<T> allGatherValue(const T& mine) {
    std::vector<T> all(static_cast<std::size_t>(size()));
    allGather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
    return all;
  }
  /// broadcast of any plain type.
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void broadcast(std::span<T> values, int root) { broadcast(std::as_writable_bytes(values), root); }

 protected:
  Communicator() = default;
};

}  // namespace ember
