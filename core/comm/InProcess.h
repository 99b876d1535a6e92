#pragma once
#include <functional>
#include <memory>
#include <vector>

#include <ember/core/comm/Communicator.h>

namespace ember {

/// The ranks of a group whose ranks are threads of this program: give each thread one.
///
/// Nobody waits for ever. The group fails, with a StateError on every rank that calls or waits, when
///  - ranks call different operations or give spans of different sizes: the message names both;
///  - a rank is gone: it destroyed its communicator, or its function ended (runRanks);
///  - every rank waits for another, in different groups.
/// Throws ValueError if size < 1.
std::vector<std::shared_ptr<Communicator>> inProcess(int size);

/// Runs f(communicator) on `size` threads, one a rank, and returns when all have ended.
///
/// If one throws, all groups of all ranks fail, so that the others end too, and the first exception is rethrown here. A
/// rank that has returned counts as gone, even where its communicators live on. Throws ValueError if size < 1.
///
/// Each rank is a thread of its own; one at a time has the compute pool, the others compute on their own thread alone
/// meanwhile (core::ComputeScope). Numbers drawn from the process-wide counters (initial weights) depend on which
/// thread comes first: make nets before, or broadcast the weights of one.
void runRanks(int size, const std::function<void(std::shared_ptr<Communicator>)>& f);

}  // namespace ember
