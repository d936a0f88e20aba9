#include <cstdlib>

#include "daemon/journal.h"
#include "daemon/netlink/kernel.h"
#include "daemon/options.h"
#include "daemon/serve.h"

int main(int argc, char** argv) {
  const auto options = fwctl::parse_options(argc, argv);
  fwctl::open_journal();
  const auto kernel = fwctl::open_kernel();
  const auto served = kernel ? fwctl::serve(options, **kernel) : tl::unexpected(kernel.error());
  if (served) return EXIT_SUCCESS;
  fwctl::journal::critical(served.error().message());
  return EXIT_FAILURE;
}
