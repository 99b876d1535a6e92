#pragma once
#include <string>

#include <ember/ember.h>

#include "support/Headline.h"
#include "support/TempFolder.h"

/// Proof that a call changed nothing.
namespace ember::test {

/// All that a net holds and a load could change: each tensor's place, type, version, bytes, gradient and whether it
/// trains; modes, random counters, seen inputs; what is pending; and the program's seed and draws.
std::string fingerprint(const nn::Module& net);
/// State and slots of an optimiser.
std::string fingerprint(const optim::Optimizer& optimizer);
/// Names and bytes of all files in a folder.
std::string contentOf(const TempFolder& folder);

/// What is compared before and after a call that must fail.
struct Watched {
  const nn::Module& net;
  const TempFolder& folder;
  const optim::Optimizer* optimizer = nullptr;
};

/// The message of the E that `call` throws; says so if it throws another or none, and if anything changed meanwhile.
template <class E = IoError, class Call>
std::string refusal(const Watched& watched, Call&& call) {
  const auto state = [&] {
    return fingerprint(watched.net) + (watched.optimizer ? fingerprint(*watched.optimizer) : "") +
           contentOf(watched.folder);
  };
  const std::string before = state();
  std::string message = messageOf<E>(call);
  if (state() != before) message = "SOMETHING CHANGED, " + message;
  return message;
}

}  // namespace ember::test
