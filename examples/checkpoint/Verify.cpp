#include "Verify.h"

#include <algorithm>
#include <memory>

#include <fmt/core.h>

#include <ember/core/io/Text.h>
#include <ember/ember.h>
#include <ember/nn/PlannedLoad.h>
#include <ember/nn/Registry.h>
#include <ember/optim/Registry.h>
#include <ember/optim/train/ResumeChecks.h>

using namespace ember;

namespace {

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

/// The first type in an architecture that this program cannot build, or empty.
std::string foreignType(const Value& value, const std::vector<std::string>& known) {
  std::string foreign;
  if (value.isArray()) {
    for (const Value& element : value.elements()) {
      if (foreign = foreignType(element, known); !foreign.empty()) return foreign;
    }
  } else if (value.isObject()) {
    const Value* type = value.find("type");
    if (type && type->isString() && (!contains(known, type->as<std::string>()) || !value.has("args")))
      return type->as<std::string>();
    for (const auto& [key, member] : value.members()) {
      if (foreign = foreignType(member, known); !foreign.empty()) return foreign;
    }
  }
  return foreign;
}

/// The parameters that the saved optimiser steps; a name that is none of the net's is returned in `other`.
nn::Parameters steppedParameters(const nn::Module& net, const Value& optimizer, std::string& other) {
  nn::Parameters list;
  const nn::Parameters all = net.namedParameters();
  for (const Value& entry : optimizer.at("parameters").elements()) {
    const std::string name = entry.get<std::string>("name");
    const auto found = std::find_if(all.begin(), all.end(), [&](const nn::Parameter& p) { return p.name == name; });
    if (found == all.end()) {
      other = name;
      return {};
    }
    list.push_back(*found);
  }
  return list;
}

/// The run's optimiser and averages, made for the net that the file describes.
void verifyRun(const std::string& file, const io::Checkpoint& checkpoint, const nn::Module& net, Verified& result) {
  optim::checkStreamNames(file, optim::readRun(file, checkpoint), net);
  const std::string type = checkpoint.optimizer.get<std::string>("type");
  if (!contains(optim::optimizerTypes(), type)) {
    result.unchecked.push_back("slots and averages: the optimiser " + io::inQuotes(type) +
                               " is the saving program's own");
    return;
  }
  std::string other;
  const nn::Parameters parameters = steppedParameters(net, checkpoint.optimizer, other);
  if (parameters.empty()) {
    result.unchecked.push_back("slots and averages: the optimiser steps " + io::inQuotes(other) +
                               ", which is no parameter of the net");
    return;
  }
  std::unique_ptr<optim::Optimizer> optimizer;
  optim::ofRun(file, "optimizer.options",
               [&] { optimizer = optim::makeOptimizer(type, parameters, checkpoint.optimizer.at("options")); });
  optimizer->checkState(optim::withRatesOf(optimizer->state(), checkpoint.optimizer), file);
  nn::Parameters wanted;
  for (const nn::Parameter& slot : optimizer->namedSlots()) wanted.push_back({"optim/" + slot.name, slot.tensor, {}});
  std::unique_ptr<optim::Ema> ema;
  if (checkpoint.train.has("ema")) {
    ema = std::make_unique<optim::Ema>(net, checkpoint.train.get<double>({"ema", "decay"}));
    for (const nn::Parameter& p : ema->averages()) wanted.push_back({"ema/" + p.name, p.tensor, {}});
  }
  optim::matchingTensors(file, wanted, checkpoint);
  result.checked.push_back("the optimiser's slots and the averages fit the net");
}

}  // namespace

Verified verified(const std::string& file, const io::Checkpoint& checkpoint) {
  Verified result;
  nn::frozenNames(checkpoint, file);
  nn::aliasesOf(checkpoint, file);
  const bool isRun = !checkpoint.train.isNull() && !checkpoint.optimizer.isNull();
  if (isRun) {
    optim::readRun(file, checkpoint);
    result.checked.push_back("the fields of the run are there and agree");
  }
  if (!checkpoint.summed)
    result.unchecked.push_back("whether the header is as it was written: the file has no check sum of it");
  if (checkpoint.model.isNull()) {
    result.unchecked.push_back("the net: the file does not describe it");
  } else if (const std::string foreign = foreignType(checkpoint.model, nn::registeredTypes()); !foreign.empty()) {
    result.unchecked.push_back("the net: " + io::inQuotes(foreign) + " is a type of the program that saved it");
  } else {
    const auto net = nn::netOf(checkpoint, file);
    result.checked.push_back("the net can be built and takes the tensors");
    if (checkpoint.selfTest.isNull())
      result.unchecked.push_back("what the net computes: the file has no self-test");
    else
      result.checked.push_back("it computes what it computed when it was saved");
    if (isRun) verifyRun(file, checkpoint, *net, result);
  }
  if (isRun) result.unchecked.push_back("data, schedule and options of the program that goes on");
  return result;
}
