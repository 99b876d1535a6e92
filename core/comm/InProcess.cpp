// Each call is a meeting of the group: a rank leaves its offer (what it calls, where its data lie) and waits; the last
// to come does the work for all in rank order and wakes them. One lock serves all groups of a program, so that whoever
// begins to wait can see whether anyone is left who could end the waiting.
#include <ember/core/comm/InProcess.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <ember/core/Error.h>

namespace ember {
namespace {

struct Room;

/// Why a group, or all of them, can't go on; `what` is empty if it can.
struct Failure {
  std::string what = {}, help = {};
  explicit operator bool() const { return !what.empty(); }
};
constexpr const char* sameCalls = "every rank makes the same calls in the same order, with spans of the same sizes";

/// What the ranks of one inProcess() share, its groups included.
struct World {
  struct Rank {
    int handles = 0;             // communicators that live
    bool ended = false;          // and will not come to any meeting
    const Room* room = nullptr;  // where it waits
    std::string_view op;
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Rank> ranks;
  Failure failure;       // of all groups, for ever
  bool watched = false;  // runRanks sees when a rank fails
};

/// What a rank brings to a meeting.
struct Offer {
  std::string_view op;
  std::string call = {};  // with all that must agree: "allReduce of 3 f32"
  const void* in = nullptr;
  void* out = nullptr;
  int color = 0, key = 0;                        // of split
  std::shared_ptr<Communicator> part = nullptr;  // what split gives back
};

/// One group.
struct Room {
  std::shared_ptr<World> world;
  std::vector<int> members;  // their ranks in the world
  std::vector<Offer*> offers;
  std::vector<bool> left;  // destroyed their communicators
  std::size_t arrived = 0;
  u64 meetings = 0;  // that have ended
  Failure failure;   // of this group, for ever
};

using Work = std::function<void(const std::vector<Offer*>&)>;

std::string listOf(const std::vector<int>& ranks) {
  std::string text;
  for (const int rank : ranks) text += (text.empty() ? "[" : ", ") + std::to_string(rank);
  return text + "]";
}

/// Why a meeting of the room can't end.
Failure obstacle(const Room& room) {
  if (room.world->failure) return room.world->failure;
  if (room.failure) return room.failure;
  for (std::size_t rank = 0; rank < room.members.size(); ++rank) {
    const bool ended = room.world->ranks[static_cast<std::size_t>(room.members[rank])].ended;
    if (ended || room.left[rank]) return {"rank " + std::to_string(rank) + " has left the group", sameCalls};
  }
  return {};
}

[[noreturn]] void fail(const Room& room, std::size_t rank, std::string_view op, const Failure& why) {
  throw StateError(op, why.what, {{"rank", std::to_string(rank) + " of " + std::to_string(room.members.size())}},
                   why.help);
}

/// If every rank of the world waits or has ended, says so in world.failure: nobody is left to end the waiting.
void findDeadlock(World& world) {
  std::string waits;
  for (std::size_t rank = 0; rank < world.ranks.size(); ++rank) {
    const World::Rank& state = world.ranks[rank];
    if (state.ended) continue;
    if (!state.room || obstacle(*state.room)) return;
    waits += (waits.empty() ? "" : ", ") +
             ("rank " + std::to_string(rank) + " in " + std::string(state.op) + " of " + listOf(state.room->members));
  }
  if (!waits.empty()) world.failure = {"the ranks wait for each other: " + waits, sameCalls};
}

/// Leaves the offer of `rank` and returns when all have come and the work is done, by the last of them.
void meet(Room& room, std::size_t rank, Offer& offer, const Work& work) {
  World& world = *room.world;
  World::Rank& self = world.ranks[static_cast<std::size_t>(room.members[rank])];
  std::unique_lock lock(world.mutex);
  if (self.room) {
    fail(room, rank, offer.op, {"another thread of this rank is in " + std::string(self.op), "use one thread a rank"});
  }
  if (const Failure why = obstacle(room)) fail(room, rank, offer.op, why);

  room.offers[rank] = &offer;
  if (++room.arrived < room.members.size()) {
    self.room = &room;
    self.op = offer.op;
    const u64 meeting = room.meetings;
    findDeadlock(world);
    if (world.failure) world.changed.notify_all();
    world.changed.wait(lock, [&] { return room.meetings != meeting || obstacle(room); });
    self.room = nullptr;
    if (room.meetings == meeting) fail(room, rank, offer.op, obstacle(room));
    return;
  }

  const auto other = std::find_if(room.offers.begin(), room.offers.end(),
                                  [&](const Offer* o) { return o->call != room.offers.front()->call; });
  if (other != room.offers.end()) {
    room.failure = {"rank 0 calls " + room.offers.front()->call + ", rank " +
                        std::to_string(other - room.offers.begin()) + " calls " + (*other)->call,
                    sameCalls};
    world.changed.notify_all();
    fail(room, rank, offer.op, room.failure);
  }
  try {
    work(room.offers);
  } catch (const std::exception& error) {  // no memory
    room.failure = {"rank " + std::to_string(rank) + " has failed: " + error.what()};
    world.changed.notify_all();
    throw;
  }
  room.arrived = 0;
  ++room.meetings;
  // Marked here and not when they wake: until then they are not among those who wait.
  for (const int member : room.members) world.ranks[static_cast<std::size_t>(member)].room = nullptr;
  world.changed.notify_all();
}

class InProcess final : public Communicator {
 public:
  /// With world.mutex held, or before anyone else has the world.
  InProcess(std::shared_ptr<Room> room, int rank) : room_(std::move(room)), rank_(rank) { ++self().handles; }

  ~InProcess() override {
    World& world = *room_->world;
    const std::lock_guard lock(world.mutex);
    --self().handles;
    // An exception on its way to runRanks tells the others more than that this rank has left.
    if (world.watched && std::uncaught_exceptions() > 0) return;
    room_->left[static_cast<std::size_t>(rank_)] = true;
    if (self().handles == 0) self().ended = true;
    findDeadlock(world);
    world.changed.notify_all();
  }

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(room_->members.size()); }
  const std::shared_ptr<World>& world() const { return room_->world; }

  void allReduce(std::span<float> values) override { sum(values, "f32"); }
  void allReduce(std::span<double> values) override { sum(values, "f64"); }
  void allReduce(std::span<i64> values) override { sum(values, "i64"); }

  void allGather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    if (all.size() != mine.size() * room_->members.size()) {
      throw ShapeError("allGather",
                       "the result has room for " + std::to_string(all.size()) + " bytes, " + std::to_string(size()) +
                           " ranks give " + std::to_string(mine.size()) + " each",
                       {}, "give room for " + std::to_string(mine.size() * room_->members.size()) + " bytes");
    }
    Offer offer{.op = "allGather",
                .call = "allGather of " + std::to_string(mine.size()) + " bytes",
                .in = mine.data(),
                .out = all.data()};
    meetHere(offer, [bytes = mine.size()](const std::vector<Offer*>& offers) {
      if (bytes == 0) return;
      std::vector<std::byte> gathered(bytes * offers.size());  // a rank may give part of its own result
      for (std::size_t r = 0; r < offers.size(); ++r) std::memcpy(&gathered[r * bytes], offers[r]->in, bytes);
      for (Offer* o : offers) std::memcpy(o->out, gathered.data(), gathered.size());
    });
  }

  void broadcast(std::span<std::byte> values, int root) override {
    if (root < 0 || root >= size()) {
      throw ValueError("broadcast", "there is no rank " + std::to_string(root), {},
                       "the ranks are 0 to " + std::to_string(size() - 1));
    }
    Offer offer{.op = "broadcast",
                .call = "broadcast of " + std::to_string(values.size()) + " bytes from rank " + std::to_string(root),
                .out = values.data()};
    meetHere(offer, [bytes = values.size(), root](const std::vector<Offer*>& offers) {
      if (bytes == 0) return;
      const void* from = offers[static_cast<std::size_t>(root)]->out;
      for (Offer* o : offers) std::memmove(o->out, from, bytes);
    });
  }

  void barrier() override {
    Offer offer{.op = "barrier", .call = "barrier"};
    meetHere(offer, [](const std::vector<Offer*>&) {});
  }

  std::shared_ptr<Communicator> split(int color, int key) override {
    if (color < 0) {
      throw ValueError("split", "the colour is " + std::to_string(color), {}, "number the groups from 0");
    }
    Offer offer{.op = "split", .call = "split", .color = color, .key = key};
    meetHere(offer, [this](const std::vector<Offer*>& offers) { makeGroups(offers); });
    return std::move(offer.part);
  }

 private:
  World::Rank& self() const {
    const int rank = room_->members[static_cast<std::size_t>(rank_)];
    return room_->world->ranks[static_cast<std::size_t>(rank)];
  }
  void meetHere(Offer& offer, const Work& work) { meet(*room_, static_cast<std::size_t>(rank_), offer, work); }

  template <class T>
  void sum(std::span<T> values, std::string_view type) {
    Offer offer{.op = "allReduce",
                .call = "allReduce of " + std::to_string(values.size()) + " " + std::string(type),
                .out = values.data()};
    meetHere(offer, [count = values.size()](const std::vector<Offer*>& offers) {
      using Sum = std::conditional_t<std::is_integral_v<T>, u64, T>;  // unsigned: overflow is defined
      const auto valuesOf = [&](const Offer* o) { return std::span(static_cast<T*>(o->out), count); };
      std::vector<T> total(valuesOf(offers[0]).begin(), valuesOf(offers[0]).end());
      for (std::size_t r = 1; r < offers.size(); ++r) {
        const auto more = valuesOf(offers[r]);
        for (std::size_t i = 0; i < count; ++i) {
          total[i] = static_cast<T>(static_cast<Sum>(total[i]) + static_cast<Sum>(more[i]));
        }
      }
      for (const Offer* o : offers) std::copy(total.begin(), total.end(), valuesOf(o).begin());
    });
  }

  /// Gives every offer of a split its communicator.
  void makeGroups(const std::vector<Offer*>& offers) const {
    std::map<int, std::vector<std::pair<int, int>>> groups;  // colour -> (key, rank)
    for (std::size_t r = 0; r < offers.size(); ++r) {
      groups[offers[r]->color].emplace_back(offers[r]->key, static_cast<int>(r));
    }
    for (auto& [color, ranks] : groups) {
      std::sort(ranks.begin(), ranks.end());
      const auto room = std::make_shared<Room>();
      room->world = room_->world;
      for (const auto& [key, rank] : ranks) room->members.push_back(room_->members[static_cast<std::size_t>(rank)]);
      room->offers.resize(ranks.size());
      room->left.resize(ranks.size());
      for (std::size_t i = 0; i < ranks.size(); ++i) {
        offers[static_cast<std::size_t>(ranks[i].second)]->part =
            std::make_shared<InProcess>(room, static_cast<int>(i));
      }
    }
  }

  std::shared_ptr<Room> room_;
  int rank_;
};

std::vector<std::shared_ptr<InProcess>> makeRanks(int size, const char* op) {
  if (size < 1) throw ValueError(op, "the number of ranks is " + std::to_string(size), {}, "use 1 or more");
  const auto count = static_cast<std::size_t>(size);
  const auto room = std::make_shared<Room>();
  room->world = std::make_shared<World>();
  room->world->ranks.resize(count);
  room->offers.resize(count);
  room->left.resize(count);
  for (int rank = 0; rank < size; ++rank) room->members.push_back(rank);
  std::vector<std::shared_ptr<InProcess>> ranks;
  for (int rank = 0; rank < size; ++rank) ranks.push_back(std::make_shared<InProcess>(room, rank));
  return ranks;
}

}  // namespace

std::vector<std::shared_ptr<Communicator>> inProcess(int size) {
  const auto ranks = makeRanks(size, "inProcess");
  return {ranks.begin(), ranks.end()};
}

void runRanks(int size, const std::function<void(std::shared_ptr<Communicator>)>& f) {
  auto ranks = makeRanks(size, "runRanks");
  const std::shared_ptr<World> owner = ranks.front()->world();  // until all have ended
  World& world = *owner;
  world.watched = true;
  std::exception_ptr first;

  /// A rank is gone; `text`: what it failed of, or empty.
  const auto end = [&](std::size_t rank, const std::string& text) {
    const std::lock_guard lock(world.mutex);
    world.ranks[rank].ended = true;
    if (!text.empty()) {
      if (!first) first = std::current_exception();
      if (!world.failure) world.failure = {"rank " + std::to_string(rank) + " has failed: " + text};
    }
    findDeadlock(world);
    world.changed.notify_all();
  };
  const auto failed = [&](std::size_t rank) {
    try {
      throw;
    } catch (const Error& error) {
      end(rank, error.headline());
    } catch (const std::exception& error) {
      end(rank, error.what());
    } catch (...) {
      end(rank, "an exception that is no std::exception");
    }
  };

  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    try {
      threads.emplace_back([&, rank, communicator = std::move(ranks[rank])]() mutable {
        try {
          f(std::move(communicator));
          end(rank, {});
        } catch (...) {
          failed(rank);
        }
      });
    } catch (const std::exception&) {  // the system gives no more threads
      failed(rank);
    }
  }
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace ember
