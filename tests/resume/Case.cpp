#include "resume/Case.h"

#include <sstream>
#include <stdexcept>

namespace ember::test {

std::string Case::text() const {
  std::ostringstream out;
  out << optimizer << '/' << batchNorm << '/' << dropout << '/' << schedule << '/' << ema << '/' << augmented << '/'
      << accumulate << '/' << saveEvery << '/' << width;
  return out.str();
}

Case Case::parse(const std::string& text) {
  std::string words = text;
  for (char& c : words) c = c == '/' ? ' ' : c;
  std::istringstream in(words);
  Case result;
  in >> result.optimizer >> result.batchNorm >> result.dropout >> result.schedule >> result.ema >> result.augmented >>
      result.accumulate >> result.saveEvery >> result.width;
  if (!in) throw std::runtime_error("no case: " + text);
  return result;
}

std::string Case::describe() const {
  std::string words = optimizer;
  if (batchNorm) words += ", batch norm";
  if (dropout) words += ", dropout";
  if (schedule != "none") words += ", " + schedule;
  if (ema) words += ", average";
  if (augmented) words += ", augmentation";
  if (accumulate > 1) words += ", " + std::to_string(accumulate) + " batches a step";
  if (saveEvery > 1) words += ", saved every " + std::to_string(saveEvery) + " steps";
  return words;
}

SmallOptions Case::options() const {
  SmallOptions options{.batchNorm = batchNorm,
                       .dropout = dropout,
                       .optimizer = optimizer,
                       .width = width,
                       .trainer = {.epochs = epochs, .batchSize = 6, .seed = 11, .accumulate = accumulate}};
  optim::TrainerOptions& trainer = options.trainer;
  if (accumulate > 1) trainer.batchSize = 3;  // of 22 pictures: eight batches, four steps
  if (schedule == "oneCycle") trainer.schedule = optim::schedule::oneCycle({.steps = epochs * stepsPerEpoch});
  if (schedule == "plateau") {
    // A metric that is never better: the rate falls behind each epoch.
    trainer.plateau = optim::PlateauOptions{.factor = 0.5, .patience = 0, .maximize = true};
    trainer.best = optim::BestOptions{};
  }
  if (ema) trainer.emaDecay = 0.9;
  if (augmented) trainer.transforms = {data::RandomCrop(1), data::RandomFlip()};
  return options;
}

std::vector<Case> casesOf(const std::string& optimizer) {
  std::vector<Case> all;
  for (const int layers : {1, 2, 3}) {
    for (const char* schedule : {"none", "oneCycle", "plateau"}) {
      for (const bool ema : {false, true}) {
        all.push_back({.optimizer = optimizer,
                       .batchNorm = (layers & 1) != 0,
                       .dropout = (layers & 2) != 0,
                       .schedule = schedule,
                       .ema = ema,
                       .augmented = ema == (layers == 2)});
      }
    }
  }
  return all;
}

}  // namespace ember::test
