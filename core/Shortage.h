#pragma once

namespace ember::memory {

/// In a catch clause: lets a real shortage of memory through (OutOfMemory, std::bad_alloc), which says nothing of what
/// was tried; does nothing otherwise.
void passShortage();

}  // namespace ember::memory
