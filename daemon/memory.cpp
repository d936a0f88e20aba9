#include "daemon/memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace fwctl {
namespace {

std::uintptr_t page_size() {
  return static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
}

// What cannot be written to is as it is in the file. (What the loader relocated can be, to the
// program headers, though it is protected later.)
int unmap_pages(dl_phdr_info* object, std::size_t /*size*/, void* /*data*/) noexcept {
  const std::uintptr_t page = page_size();
  for (int index = 0; index < object->dlpi_phnum; ++index) {
    const auto& segment = object->dlpi_phdr[index];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) / page * page;
    const std::uintptr_t end = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    // Where the kernel does not want that, as of its own vdso, it stays.
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED));
  }
  return 0;
}

}  // namespace

std::size_t resident_memory() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  file >> all >> resident;
  return resident * page_size();
}

void give_back_memory() {
  ::malloc_trim(0);
  ::dl_iterate_phdr(unmap_pages, nullptr);
}

}  // namespace fwctl
