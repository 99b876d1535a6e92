// The elements that are shown are written one by one in a common form, then laid out between brackets.
#include <ember/autograd/Print.h>

#include <cmath>
#include <cstdio>
#include <ostream>
#include <vector>

#include <ember/autograd/Graph.h>
#include <ember/core/Error.h>

namespace ember {
namespace {

using Texts = std::vector<std::string>;

std::string number(const char* form, int digits, double value) {
  char text[64];
  std::snprintf(text, sizeof text, form, digits, value);
  return text;
}

/// How many of the digits behind the point are more than zeros.
std::size_t decimals(const std::string& text) {
  const std::size_t point = text.find('.'), exponent = std::min(text.find('e'), text.size());
  if (point == std::string::npos) return 0;
  const std::size_t last = text.find_last_not_of('0', exponent - 1);
  return last - point;
}

/// Numbers with their points under each other: NumPy's rules for which form serves all.
Texts written(const std::vector<double>& values, int precision) {
  double largest = 0, smallest = INFINITY;
  for (const double v : values) {
    if (!std::isfinite(v) || v == 0) continue;
    largest = std::max(largest, std::abs(v));
    smallest = std::min(smallest, std::abs(v));
  }
  const bool scientific = largest > 0 && (largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1000);
  const char* form = scientific ? "%#.*e" : "%#.*f";  // # keeps the point of whole numbers
  std::size_t digits = 0, before = 0;
  Texts texts;
  for (const double v : values) {
    texts.push_back(std::isnan(v) ? "nan" : std::isinf(v) ? (v > 0 ? "inf" : "-inf") : number(form, precision, v));
    if (!std::isfinite(v)) continue;
    digits = std::max(digits, decimals(texts.back()));
    before = std::max(before, texts.back().find('.'));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;
    std::string& text = texts[i];
    const std::size_t point = text.find('.');
    if (scientific) {
      text = number(form, static_cast<int>(digits), values[i]);
    } else {
      // NumPy writes 1. and 2.5 under each other as "1. " and "2.5".
      const std::size_t own = decimals(text);
      text.resize(point + 1 + own);
      text.append(digits - own, ' ');
    }
    text.insert(0, before - text.find('.'), ' ');
  }
  return texts;
}

class Printer {
 public:
  Printer(const core::NDArray& x, const PrintOptions& options)
      : x_(x), options_(options), summarised_(x.numel() > options.threshold) {
    collect(x);
    std::size_t width = 0;
    if (isFloating(x.dtype())) texts_ = written(floats_, options.precision);
    for (const std::string& text : texts_) width = std::max(width, text.size());
    for (std::string& text : texts_) text.insert(0, width - text.size(), ' ');
  }

  std::string text() {
    if (x_.numel() == 0) return "[]";
    lay(0);
    return out_;
  }

 private:
  bool cuts(i64 size) const { return summarised_ && size > 2 * options_.edge; }

  /// Reads the elements that are shown, in the order in which they are.
  void collect(const core::NDArray& x) {
    if (x.rank() > 0 && cuts(x.size(0))) {
      collectAll(x.slice(0, 0, options_.edge));
      collectAll(x.slice(0, x.size(0) - options_.edge, x.size(0)));
    } else {
      collectAll(x);
    }
  }

  void collectAll(const core::NDArray& x) {
    if (x.rank() > 1) {
      for (i64 i = 0; i < x.size(0); ++i) collect(x.select(0, i));
    } else if (isFloating(x.dtype())) {
      for (const double v : x.toVector<double>()) floats_.push_back(v);
    } else {
      for (const i64 v : x.toVector<i64>()) {
        texts_.push_back(x.dtype() != DType::Bool ? std::to_string(v) : v ? "true" : "false");
      }
    }
  }

  void lay(int axis) {
    if (axis == x_.rank()) {
      out_ += texts_[next_++];
      return;
    }
    const i64 size = x_.size(axis);
    const bool innermost = axis == x_.rank() - 1;
    // Blocks of higher rank stand further apart.
    const std::string indent(static_cast<std::size_t>(axis) + 1, ' ');
    const std::string gap =
        innermost ? " " : std::string(static_cast<std::size_t>(x_.rank() - axis - 1), '\n') + indent;
    out_ += '[';
    for (i64 i = 0; i < size; ++i) {
      const bool dots = cuts(size) && i == options_.edge;
      if (i > 0) separate(gap, innermost, indent, dots ? 3 : innermost ? texts_[next_].size() : 0);
      if (dots) {
        out_ += "...";
        i = size - options_.edge - 1;
      } else {
        lay(axis + 1);
      }
    }
    out_ += ']';
  }

  /// What stands between two elements: a line break where a row has become too long.
  void separate(const std::string& gap, bool innermost, const std::string& indent, std::size_t coming) {
    const std::size_t column = out_.size() - (out_.rfind('\n') + 1);  // npos + 1 is 0
    if (innermost && column + 1 + coming > static_cast<std::size_t>(options_.width)) {
      out_ += '\n' + indent;
    } else {
      out_ += gap;
    }
  }

  const core::NDArray& x_;
  const PrintOptions& options_;
  bool summarised_;
  std::vector<double> floats_;
  Texts texts_;
  std::size_t next_ = 0;
  std::string out_;
};

void checkOptions(const PrintOptions& o) {
  const bool fine =
      o.precision >= 0 && o.precision <= 17 && o.threshold >= 0 && o.edge >= 1 && o.edge <= 1000000000 && o.width >= 1;
  if (fine) return;
  throw ValueError("toString",
                   "precision " + std::to_string(o.precision) + ", threshold " + std::to_string(o.threshold) +
                       ", edge " + std::to_string(o.edge) + ", width " + std::to_string(o.width),
                   {}, "precision is 0 to 17, threshold 0 or more, edge and width 1 or more");
}

}  // namespace

std::string toString(const Tensor& x, const PrintOptions& options) {
  checkOptions(options);
  if (!x.defined()) return "undefined";
  const std::string kind = " " + std::string(name(x.dtype())) + " " + toString(x.shape());
  if (x.isShapeOnly()) return "(no values)" + kind;
  x.impl()->settle();
  const core::NDArray& array = x.impl()->array;
  // Printing is how one looks for a mistake, so this one is printed, too.
  if (array.version() != x.impl()->version)
    return "(overwritten in place by " + array.storage()->lastWriter() + ")" + kind;
  return Printer(array, options).text() + kind;
}

std::ostream& operator<<(std::ostream& stream, const Tensor& x) { return stream << toString(x); }

}  // namespace ember
