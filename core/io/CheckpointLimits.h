#pragma once
#include <string_view>

#include <ember/core/DType.h>

/// What reader and writer of checkpoints agree on.
namespace ember::io {

inline constexpr const char* formatName = "ember-checkpoint";
inline constexpr const char* formatVersion = "1.0";
inline constexpr int formatMajor = 1;

/// A row of "tensors" takes 77 bytes at least, with its comma, so maxHeaderBytes never hold a million (reliability J31
/// says 10^6): this many fit, with names of 50 characters.
inline constexpr std::size_t maxTensors = 500'000;
inline constexpr u64 maxHeaderBytes = u64{64} << 20;  ///< everything outside "data"
inline constexpr i64 maxHeaderValues = 1'000'000;     ///< JSON values outside "tensors" and "data"
inline constexpr i64 maxEntryValues = 1000;           ///< JSON values in one entry of "tensors"

/// Whether a header member has a meaning of its own ("model", "tensors", ...).
bool isKnownMember(std::string_view key) noexcept;

}  // namespace ember::io
