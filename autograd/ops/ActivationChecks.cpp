#include <ember/autograd/ops/ActivationChecks.h>

#include <cmath>

#include <ember/core/Error.h>
#include <fmt/format.h>

namespace ember::autograd {

std::string toText(double number) { return fmt::format("{}", number); }

void checkFinite(const char* op, const char* what, double number) {
  if (std::isfinite(number)) return;
  throw ValueError(op, std::string(what) + " is " + toText(number), {}, "use a finite number");
}

void checkBounds(const char* op, const char* nameLow, double low, const char* nameHigh, double high) {
  if (low <= high) return;
  throw ValueError(op, std::string(nameLow) + " is " + toText(low) + " and " + nameHigh + " " + toText(high), {},
                   std::string(nameLow) + " must not exceed " + nameHigh);
}

}  // namespace ember::autograd
