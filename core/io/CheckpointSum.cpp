#include <ember/core/io/CheckpointSum.h>

#include <string>

#include <ember/core/io/CheckpointEntry.h>
#include <ember/core/io/Crc32.h>
#include <ember/core/io/JsonWriter.h>

namespace ember::io {

void CheckpointSum::add(std::string_view member, const Value& value) {
  std::string text(member);
  text += ": ";
  appendJson(text, value);
  Crc32 crc;
  crc.update(text.data(), text.size());
  total_ += crc.value();
}

void CheckpointSum::check(const Value& end, const CheckpointInput& input) const {
  const Value* written = end.find(field);
  if (!written || *written == Value(crcText(total_))) return;
  input.refuseWhole(": the header is not the one that was written",
                    {{std::string("end.") + field, shortText(*written)}, {"found", crcText(total_)}},
                    "the file is damaged: take another copy; or, if you changed it yourself, write the sum that was "
                    "found into \"end\"");
}

}  // namespace ember::io
