// The attributes of a received message or of one nested in it, read in place. Every length is
// checked; a missing or short attribute is nullopt. Valid as long as the message.
#pragma once

#include <endian.h>
#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fwctl::netlink {

// Calls visit(const nlattr*) for each attribute. libmnl's macro for this is not C++.
template <typename Visit>
void for_each_attribute(const void* start, std::size_t length, Visit visit) {
  const auto* position = static_cast<const char*>(start);
  const char* const end = position + length;
  while (position < end) {
    const auto* attribute = reinterpret_cast<const nlattr*>(position);
    if (!mnl_attr_ok(attribute, static_cast<int>(end - position))) return;
    visit(attribute);
    position += MNL_ALIGN(attribute->nla_len);
  }
}

template <typename Visit>
void for_each_nested(const nlattr* nest, Visit visit) {
  for_each_attribute(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), visit);
}

class Attributes {
 public:
  // `header` is what lies between the netlink header and the first attribute.
  explicit Attributes(const nlmsghdr& message, std::size_t header) {
    const std::size_t length = mnl_nlmsg_get_payload_len(&message);
    if (length < header) return;
    keep(static_cast<const char*>(mnl_nlmsg_get_payload(&message)) + MNL_ALIGN(header),
         length - header);
  }
  explicit Attributes(const nlattr* nest) {
    if (nest != nullptr) keep(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest));
  }

  const nlattr* get(std::uint16_t type) const {
    return type < known_.size() ? known_[type] : nullptr;
  }
  bool has(std::uint16_t type) const { return get(type) != nullptr; }

  std::optional<std::string_view> bytes(std::uint16_t type) const {
    const nlattr* attribute = get(type);
    if (attribute == nullptr) return std::nullopt;
    return std::string_view(static_cast<const char*>(mnl_attr_get_payload(attribute)),
                            mnl_attr_get_payload_len(attribute));
  }
  // Empty when it is missing: the kernel has no empty names.
  std::string text(std::uint16_t type) const {
    const std::string_view all = bytes(type).value_or(std::string_view());
    return std::string(all.substr(0, all.find('\0')));
  }
  std::optional<std::uint8_t> u8(std::uint16_t type) const { return number<std::uint8_t>(type); }
  std::optional<std::uint32_t> u32(std::uint16_t type) const { return number<std::uint32_t>(type); }
  std::optional<std::uint32_t> be32(std::uint16_t type) const {
    const auto raw = u32(type);
    return raw ? std::optional(be32toh(*raw)) : std::nullopt;
  }
  std::optional<std::uint64_t> be64(std::uint16_t type) const {
    const auto raw = number<std::uint64_t>(type);
    return raw ? std::optional(be64toh(*raw)) : std::nullopt;
  }

 private:
  void keep(const void* start, std::size_t length) {
    for_each_attribute(start, length, [this](const nlattr* attribute) {
      const std::uint16_t type = mnl_attr_get_type(attribute);
      if (type < known_.size()) known_[type] = attribute;
    });
  }

  template <typename T>
  std::optional<T> number(std::uint16_t type) const {
    const auto raw = bytes(type);
    if (!raw || raw->size() < sizeof(T)) return std::nullopt;
    T value;
    raw->copy(reinterpret_cast<char*>(&value), sizeof(T));
    return value;
  }

  std::array<const nlattr*, 32> known_{};
};

}  // namespace fwctl::netlink
