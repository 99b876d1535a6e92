#include <ember/core/Shortage.h>

#include <new>

#include <ember/core/Error.h>

namespace ember::memory {

void passShortage() {
  try {
    throw;
  } catch (const OutOfMemory&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
  }
}

}  // namespace ember::memory
