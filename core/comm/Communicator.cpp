#include <ember/core/comm/Communicator.h>

#include <algorithm>
#include <string>

#include <ember/core/Error.h>

namespace ember {
namespace {

/// Where a rank belongs: the index of its group and its place there.
struct Place {
  int group = -1;
  int position = 0;
  bool operator==(const Place&) const = default;
};

/// The place of each rank, from groups that have been seen to be a partition of 0..size-1.
std::vector<Place> placesOf(const std::vector<std::vector<int>>& groups, int size) {
  const auto refuse = [&](const std::string& what) {
    throw ValueError("split", what, {}, "list every rank from 0 to " + std::to_string(size - 1) + " once");
  };
  std::vector<Place> places(static_cast<std::size_t>(size));
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (groups[g].empty()) refuse("group " + std::to_string(g) + " is empty");
    for (std::size_t position = 0; position < groups[g].size(); ++position) {
      const int rank = groups[g][position];
      if (rank < 0 || rank >= size) {
        refuse("group " + std::to_string(g) + " names rank " + std::to_string(rank) + " of " + std::to_string(size));
      }
      Place& place = places[static_cast<std::size_t>(rank)];
      if (place.group >= 0) refuse("rank " + std::to_string(rank) + " is named twice");
      place = {static_cast<int>(g), static_cast<int>(position)};
    }
  }
  for (std::size_t rank = 0; rank < places.size(); ++rank) {
    if (places[rank].group < 0) refuse("rank " + std::to_string(rank) + " is in no group");
  }
  return places;
}

}  // namespace

std::shared_ptr<Communicator> Communicator::split(const std::vector<std::vector<int>>& groups) {
  const std::vector<Place> mine = placesOf(groups, size());
  std::vector<Place> all(mine.size() * mine.size());
  allGather(std::span<const Place>(mine), std::span<Place>(all));
  for (std::size_t other = 1; other < mine.size(); ++other) {
    const auto theirs = all.begin() + static_cast<std::ptrdiff_t>(other * mine.size());
    const auto [first, second] = std::mismatch(all.begin(), all.begin() + std::ssize(mine), theirs);
    if (second == theirs + std::ssize(mine)) continue;
    const auto rank = std::to_string(first - all.begin());
    throw StateError(
        "split", "rank 0 and rank " + std::to_string(other) + " give different groups",
        {{"rank 0", "puts rank " + rank + " into group " + std::to_string(first->group) + ", place " +
                        std::to_string(first->position)},
         {"rank " + std::to_string(other), "puts rank " + rank + " into group " + std::to_string(second->group) +
                                               ", place " + std::to_string(second->position)}},
        "give the same groups on every rank");
  }
  const Place& place = mine[static_cast<std::size_t>(rank())];
  return split(place.group, place.position);
}

}  // namespace ember
