// libnftnl's objects, owned. What the kernel says is read through them; what we tell it is written
// straight as messages (message.h), since filling these objects costs 2 to 8 times as much as the
// messages they become.
//
// libnftnl ends the process when an attribute is not of the size it has had in every kernel so far.
#pragma once

#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/gen.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace fwctl::netlink {

template <auto Free>
struct FreedWith {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

template <auto Allocate, auto Free>
auto allocated() {
  std::unique_ptr<std::remove_pointer_t<decltype(Allocate())>, FreedWith<Free>> object(Allocate());
  if (!object) throw std::bad_alloc();
  return object;
}

inline auto new_generation() {
  return allocated<nftnl_gen_alloc, nftnl_gen_free>();
}
inline auto new_table() {
  return allocated<nftnl_table_alloc, nftnl_table_free>();
}
inline auto new_chain() {
  return allocated<nftnl_chain_alloc, nftnl_chain_free>();
}
inline auto new_rule() {
  return allocated<nftnl_rule_alloc, nftnl_rule_free>();
}
inline auto new_set() {
  return allocated<nftnl_set_alloc, nftnl_set_free>();
}

// What a getter gave: null where the attribute is missing.
inline std::string_view view(const void* data, std::uint32_t length) {
  return data == nullptr ? std::string_view()
                         : std::string_view(static_cast<const char*>(data), length);
}
inline std::string text(const char* string) {
  return string == nullptr ? std::string() : std::string(string);
}

// One expression, of a rule or a set. Valid as long as its owner.
class Expression {
 public:
  explicit Expression(const nftnl_expr& expression) : expression_(&expression) {}

  std::string_view name() const { return nftnl_expr_get_str(expression_, NFTNL_EXPR_NAME); }
  bool has(std::uint16_t attribute) const { return nftnl_expr_is_set(expression_, attribute); }

  std::optional<std::uint8_t> u8(std::uint16_t attribute) const {
    return has(attribute) ? std::optional(nftnl_expr_get_u8(expression_, attribute)) : std::nullopt;
  }
  std::optional<std::uint16_t> u16(std::uint16_t attribute) const {
    return has(attribute) ? std::optional(nftnl_expr_get_u16(expression_, attribute))
                          : std::nullopt;
  }
  std::optional<std::uint32_t> u32(std::uint16_t attribute) const {
    return has(attribute) ? std::optional(nftnl_expr_get_u32(expression_, attribute))
                          : std::nullopt;
  }
  std::optional<std::uint64_t> u64(std::uint16_t attribute) const {
    return has(attribute) ? std::optional(nftnl_expr_get_u64(expression_, attribute))
                          : std::nullopt;
  }
  // Empty when it is missing: the kernel has no empty names and operands.
  std::string text(std::uint16_t attribute) const {
    return netlink::text(nftnl_expr_get_str(expression_, attribute));
  }
  std::string bytes(std::uint16_t attribute) const {
    std::uint32_t length = 0;
    const void* data = nftnl_expr_get(expression_, attribute, &length);
    return std::string(view(data, length));
  }
  // The one in it; nullopt when there is none or there are several.
  std::optional<Expression> expression(std::uint16_t attribute) const {
    std::uint32_t length = 0;
    const void* inner = nftnl_expr_get(expression_, attribute, &length);
    if (inner == nullptr) return std::nullopt;
    return Expression(*static_cast<const nftnl_expr*>(inner));
  }

 private:
  const nftnl_expr* expression_;
};

}  // namespace fwctl::netlink
