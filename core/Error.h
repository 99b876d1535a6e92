#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ember {

/// Every exception that ember throws: a message that stands alone.
///
///   [conv2d] ShapeError: input has 3 channels, filters expect 1
///       input    x [64, 3, 28, 28]
///       filters  w [32, 1, 5, 5]      groups = 1
///       at       features.0 (Conv2D 1 -> 32, 5x5)
///       help     build the layer with 3 input channels, or convert the images to grey
///
/// The first line alone is enough for a log; `at` is the module path of the forward that was running, if any.
class Error : public std::runtime_error {
 public:
  /// One labelled line below the first: {"input", "x [64, 3, 28, 28]"}.
  using Detail = std::pair<std::string, std::string>;
  using Details = std::vector<Detail>;

  Error(std::string_view kind, std::string_view op, std::string_view what, const Details& details,
        std::string_view help);

  const std::string& op() const noexcept { return op_; }
  /// The module whose forward was running, as in the message: "features.0 (Conv2D 1 -> 32, 5x5)"; "" outside of any.
  const std::string& at() const noexcept { return at_; }
  /// The first line of the message.
  std::string headline() const;

 protected:
  struct Brief {};
  /// For OutOfMemory: no text, no memory taken.
  explicit Error(Brief) noexcept;

 private:
  Error(std::string_view kind, std::string_view op, std::string_view what, const Details& details,
        std::string_view help, std::string at);

  std::string op_, at_;
};

#define EMBER_ERROR_KIND(Kind)                                                                                   \
  class Kind : public Error {                                                                                    \
   public:                                                                                                       \
    Kind(std::string_view op, std::string_view what, const Details& details = {}, std::string_view help = {})    \
        : Error(#Kind, op, what, details, help) {}                                                               \
  };
EMBER_ERROR_KIND(ShapeError)    ///< ranks, sizes or axes that do not fit together
EMBER_ERROR_KIND(DtypeError)    ///< element types that do not fit together; nothing is ever promoted silently
EMBER_ERROR_KIND(ValueError)    ///< an argument or option outside its range
EMBER_ERROR_KIND(IoError)       ///< a file that cannot be read, written or believed: path, place, expected, found
EMBER_ERROR_KIND(StateError)    ///< a call at the wrong time: backward twice, a stale or undefined tensor
EMBER_ERROR_KIND(NumericError)  ///< NaN or infinity where it must not be
#undef EMBER_ERROR_KIND

/// An allocation that the system refused, with its size. Where nothing at all can be had the message is one line, kept
/// in the exception itself: "[allocate] OutOfMemory: no memory for 4096 bytes". What is no tensor's fails as
/// std::bad_alloc.
class OutOfMemory : public Error {
 public:
  OutOfMemory(std::string_view op, std::string_view what, const Details& details = {}, std::string_view help = {})
      : Error("OutOfMemory", op, what, details, help) {}
  /// The one line, without taking memory.
  explicit OutOfMemory(std::size_t bytes) noexcept;
  const char* what() const noexcept override { return brief_[0] ? brief_ : Error::what(); }

 private:
  char brief_[72] = "";
};

}  // namespace ember
