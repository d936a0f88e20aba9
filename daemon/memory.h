// What this process takes up in memory.
#pragma once

#include <cstddef>

namespace fwctl {

// Bytes; 0 where the kernel doesn't say (proc_pid_statm(5)).
std::size_t resident_memory();

// Gives back what is free of the heap, and what is mapped of programs and libraries: the kernel has
// that in its cache still, and maps again what is used again.
void give_back_memory();

}  // namespace fwctl
