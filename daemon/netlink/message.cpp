#include "daemon/netlink/message.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstring>
#include <limits>

namespace fwctl::netlink {
namespace {

constexpr std::size_t memory_kept = std::size_t{1} << 20;

template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

constexpr std::size_t padding(std::size_t length) {
  return (4 - length % 4) % 4;
}

}  // namespace

Nest::Nest(MessageWriter& out, std::uint16_t type) : out_(out), start_(out.buffer_.size()) {
  out_.put(static_cast<std::uint16_t>(type | NLA_F_NESTED), {});
}

Nest::~Nest() {
  out_.set_length(start_);
}

std::size_t Nest::size() const {
  return out_.buffer_.size() - start_;
}

void MessageWriter::begin(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence,
                          std::uint8_t family, std::uint16_t resource) {
  close_message();
  message_start_ = buffer_.size();
  in_message_ = true;
  const nlmsghdr header{.nlmsg_len = 0,
                        .nlmsg_type = type,
                        .nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST),
                        .nlmsg_seq = sequence,
                        .nlmsg_pid = 0};
  const nfgenmsg family_header{
      .nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};
  buffer_.append(bytes_of(header)).append(bytes_of(family_header));
}

void MessageWriter::put(std::uint16_t attribute, std::string_view payload) {
  const std::size_t length = sizeof(nlattr) + payload.size();
  if (length > std::numeric_limits<std::uint16_t>::max()) {
    overflowed_ = true;
    return;
  }
  const nlattr header{.nla_len = static_cast<std::uint16_t>(length), .nla_type = attribute};
  const std::size_t start = buffer_.size();
  buffer_.resize(start + length + padding(length));
  std::memcpy(&buffer_[start], &header, sizeof(header));
  if (!payload.empty())
    std::memcpy(&buffer_[start + sizeof(header)], payload.data(), payload.size());
}

void MessageWriter::put_text(std::uint16_t attribute, std::string_view text) {
  put(attribute, std::string(text) + '\0');
}

void MessageWriter::put_u8(std::uint16_t attribute, std::uint8_t value) {
  put(attribute, bytes_of(value));
}

void MessageWriter::put_be16(std::uint16_t attribute, std::uint16_t value) {
  put(attribute, bytes_of(static_cast<const std::uint16_t&>(htobe16(value))));
}

void MessageWriter::put_be32(std::uint16_t attribute, std::uint32_t value) {
  put(attribute, bytes_of(static_cast<const std::uint32_t&>(htobe32(value))));
}

void MessageWriter::put_be64(std::uint16_t attribute, std::uint64_t value) {
  put(attribute, bytes_of(static_cast<const std::uint64_t&>(htobe64(value))));
}

std::string_view MessageWriter::finish() {
  close_message();
  return buffer_;
}

void MessageWriter::clear() {
  buffer_.clear();
  if (buffer_.capacity() > memory_kept) buffer_.shrink_to_fit();
  in_message_ = false;
  overflowed_ = false;
}

void MessageWriter::close_message() {
  if (!in_message_) return;
  const auto length = static_cast<std::uint32_t>(buffer_.size() - message_start_);
  std::memcpy(&buffer_[message_start_ + offsetof(nlmsghdr, nlmsg_len)], &length, sizeof(length));
  in_message_ = false;
}

void MessageWriter::set_length(std::size_t attribute_start) {
  const std::size_t length = buffer_.size() - attribute_start;
  if (length > std::numeric_limits<std::uint16_t>::max()) {
    overflowed_ = true;
    return;
  }
  const auto narrow = static_cast<std::uint16_t>(length);
  std::memcpy(&buffer_[attribute_start + offsetof(nlattr, nla_len)], &narrow, sizeof(narrow));
}

}  // namespace fwctl::netlink
