#include <ember/core/io/CheckpointInput.h>

#include <ember/core/io/Text.h>

namespace ember::io {

void CheckpointInput::refuse(const std::string& what, Error::Details details, std::string_view help) const {
  details.emplace_back("place", "byte " + std::to_string(json.position()));
  refuseWhole(what, details, help);
}

void CheckpointInput::refuseWhole(const std::string& what, const Error::Details& details, std::string_view help) const {
  throw IoError(op, inQuotes(source.name()) + what, details, help);
}

}  // namespace ember::io
