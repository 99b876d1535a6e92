#pragma once
#include <string>

/// Checks of the numbers that activations take.
namespace ember::autograd {

/// ValueError if `number` is NaN or infinite; `what` names it.
void checkFinite(const char* op, const char* what, double number);
/// ValueError unless low <= high; infinities are bounds like others.
void checkBounds(const char* op, const char* nameLow, double low, const char* nameHigh, double high);
/// The shortest text that reads back as this number: "0.5", "1", "inf".
std::string toText(double number);

}  // namespace ember::autograd
