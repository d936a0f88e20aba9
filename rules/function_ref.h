// Something to call that is lent for the time of a call: nothing is copied, and nothing allocated.
#pragma once

#include <concepts>
#include <memory>

namespace fwctl {

template <typename Argument>
class FunctionRef {
 public:
  // Also of a temporary, which lives until the call it is handed to is over.
  template <typename Function>
    requires(!std::same_as<Function, FunctionRef>)
  FunctionRef(const Function& function)
      : function_(std::addressof(function)), call_([](const void* lent, Argument argument) {
          (*static_cast<const Function*>(lent))(argument);
        }) {}

  void operator()(Argument argument) const { call_(function_, argument); }

 private:
  const void* function_;
  void (*call_)(const void*, Argument);
};

}  // namespace fwctl
