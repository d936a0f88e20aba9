// How long random tests go on.
#pragma once

namespace fwctl::testing {

// `usual` times; under the sanitizers a quarter of it. They are several times slower and look for
// another kind of mistake: what a value means is judged by the build without them.
template <typename Count>
constexpr Count rounds(Count usual) {
#if defined(__SANITIZE_ADDRESS__)
  return usual / 4;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
  return usual / 4;
#else
  return usual;
#endif
#else
  return usual;
#endif
}

}  // namespace fwctl::testing
