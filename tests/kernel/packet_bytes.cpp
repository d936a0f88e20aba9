#include "tests/kernel/packet_bytes.h"

#include <algorithm>
#include <utility>

namespace fwctl::testing {
namespace {

using policy::State;

constexpr Protocol dccp{33};
constexpr Protocol ah{51};
constexpr Protocol sctp{132};
constexpr Protocol udplite{136};
// Flags of a TCP header.
constexpr std::uint8_t syn = 0x02;
constexpr std::uint8_t rst = 0x04;
constexpr std::uint8_t ack = 0x10;
// A reset repeats the sequence number with what SYN and FIN add.
constexpr std::uint32_t id_step = 16;

std::string be(std::uint64_t value, int bytes) {
  std::string out;
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes) & 0xff);
  return out;
}

std::uint32_t read(std::string_view bytes, std::size_t at, std::size_t length) {
  std::uint32_t value = 0;
  if (at + length > bytes.size()) return 0;
  for (const char byte : bytes.substr(at, length))
    value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

std::uint16_t checksum(const std::string& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 2)
    sum += at + 1 < bytes.size() ? read(bytes, at, 2) : read(bytes, at, 1) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

// The field at `at` is zero so far. Where the kernel refuses a packet it looks at this before it
// answers, even in protocols it knows nothing of: for IPv4 without the pseudo header then.
void add_checksum(std::string& bytes, std::size_t at, const Packet& packet) {
  std::string covered = bytes;
  if (packet.from.family() == Family::ipv6 || packet.protocol == tcp || packet.protocol == udp)
    covered = packet.from.network_order() + packet.to.network_order() + be(bytes.size(), 4) +
              be(packet.protocol.number, 4) + bytes;
  const auto sum = checksum(covered);
  bytes.replace(at, 2, be(sum == 0 ? 0xffff : sum, 2));
}

std::string ip(const Packet& packet, const std::string& payload, std::uint16_t id,
               std::uint8_t route) {
  const auto tos = static_cast<std::uint32_t>(route << 2);
  const auto addresses = packet.from.network_order() + packet.to.network_order();
  if (packet.from.family() == Family::ipv6)
    return be(6U << 28 | tos << 20 | id, 4) + be(payload.size(), 2) +
           be(packet.protocol.number, 1) + be(64, 1) + addresses + payload;
  std::string header = be(0x45, 1) + be(tos, 1) + be(20 + payload.size(), 2) + be(id, 2) +
                       be(0, 2) + be(64, 1) + be(packet.protocol.number, 1) + be(0, 2) + addresses;
  header.replace(10, 2, be(checksum(header), 2));
  return header + payload;
}

// So that there is something for a second fragment; of TCP no more than id_step leaves room for.
std::string data(const Packet& packet) {
  const std::size_t more = packet.protocol == tcp ? 12 : 24;
  std::string out(comes_in_fragments(packet) ? more : 0, '\0');
  return out;
}

std::string tcp_header(const Packet& packet, std::uint16_t id) {
  std::uint8_t flags = syn;
  if (packet.state == State::established) flags = syn | ack;  // the answer to the opener
  if (packet.state == State::invalid) flags = 0;
  const std::uint32_t number = id * id_step;
  std::string out = be(packet.from_port, 2) + be(packet.to_port, 2) + be(number, 4) +
                    be(packet.state == State::established ? number : 0, 4) + be(0x50, 1) +
                    be(flags, 1) + be(1024, 2) + be(0, 4) + data(packet);
  add_checksum(out, 16, packet);
  return out;
}

std::string udp_header(const Packet& packet) {
  const auto more = data(packet);
  // A length beyond the packet's end is invalid.
  const std::size_t length = packet.state == State::invalid ? 200 : 8 + more.size();
  std::string out =
      be(packet.from_port, 2) + be(packet.to_port, 2) + be(length, 2) + be(0, 2) + more;
  add_checksum(out, 6, packet);
  return out;
}

// An INIT chunk. Connection tracking is told not to look at checksums, and nothing else does.
std::string sctp_header(const Packet& packet) {
  const std::string chunk =
      be(1, 1) + be(0, 1) + be(20, 2) + be(1, 4) + be(65535, 4) + be(1, 2) + be(1, 2) + be(1, 4);
  return be(packet.from_port, 2) + be(packet.to_port, 2) + be(0, 4) + be(0, 4) + chunk;
}

// A request with 48-bit sequence numbers.
std::string dccp_header(const Packet& packet) {
  std::string out = be(packet.from_port, 2) + be(packet.to_port, 2) + be(5, 1) + be(0, 1) +
                    be(0, 2) + be(1, 1) + be(0, 1) + be(1, 6) + be(0, 4);
  add_checksum(out, 6, packet);
  return out;
}

bool is_icmp(const Packet& packet) {
  return packet.protocol == (packet.from.family() == Family::ipv4 ? icmp : icmpv6);
}

bool is_icmp_error(const Packet& packet) {
  if (!is_icmp(packet)) return false;
  const auto type = packet.icmp_type;
  if (packet.protocol == icmpv6) return type >= 1 && type <= 4;
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

// From where the error went to where it came from: what a `related` error is about.
Packet subject_of(const Packet& error) {
  return {.traffic = error.traffic,
          .from = error.to,
          .to = error.from,
          .protocol = udp,
          .from_port = 1,
          .to_port = 1};
}

std::string icmp_message(const Packet& packet) {
  std::string out = be(packet.icmp_type, 1) + be(0, 1) + be(0, 2) + be(1, 2) + be(1, 2);
  if (packet.state == State::related && is_icmp_error(packet))
    out += bytes_of(subject_of(packet), 0);
  else
    out += std::string(16, '\0');
  add_checksum(out, 2, packet);
  return out;
}

// Of what no one looks into.
std::string other(const Packet& packet, std::size_t size) {
  std::string out(size, '\0');
  add_checksum(out, 2, packet);
  return out;
}

// An extension header to IPv6, so that what follows must make sense.
std::string ah_header(const Packet& packet) {
  Packet inner = packet;
  inner.protocol = Protocol{200};
  return be(inner.protocol.number, 1) + be(2, 1) + std::string(14, '\0') + other(inner, 8);
}

std::string payload_of(const Packet& packet, std::uint16_t id) {
  if (packet.protocol == tcp) return tcp_header(packet, id);
  if (packet.protocol == udp || packet.protocol == udplite) return udp_header(packet);
  if (packet.protocol == sctp) return sctp_header(packet);
  if (packet.protocol == dccp) return dccp_header(packet);
  if (packet.protocol == icmp || packet.protocol == icmpv6) return icmp_message(packet);
  if (packet.protocol == ah && packet.from.family() == Family::ipv6) return ah_header(packet);
  return other(packet, 24);
}

// The request to which an ICMP message is the reply.
std::optional<std::uint8_t> request_of(const Packet& packet) {
  if (packet.protocol == icmpv6) {
    if (packet.icmp_type == 129) return 128;
  } else if (packet.icmp_type == 0) {
    return 8;
  } else if (packet.icmp_type == 14 || packet.icmp_type == 16 || packet.icmp_type == 18) {
    return packet.icmp_type - 1;
  }
  return {};
}

bool is_ipv6(std::string_view bytes) {
  return read(bytes, 0, 1) >> 4 == 6;
}

// At `offset` of an IP packet.
Address address_in(std::string_view bytes, std::size_t offset) {
  const bool v6 = is_ipv6(bytes);
  std::array<std::uint8_t, 16> address{};
  std::ranges::copy(bytes.substr(offset, v6 ? 16 : 4), address.begin());
  return {v6 ? Family::ipv6 : Family::ipv4, address};
}

Protocol protocol_in(std::string_view bytes) {
  return {static_cast<std::uint8_t>(read(bytes, is_ipv6(bytes) ? 6 : 9, 1))};
}

std::string_view addresses_in(std::string_view bytes) {
  return is_ipv6(bytes) ? bytes.substr(8, 32) : bytes.substr(12, 8);
}

std::string_view word(State state) {
  switch (state) {
    case State::invalid:
      return "invalid";
    case State::established:
      return "established";
    case State::related:
      return "related";
    case State::fresh:
      return "new";
  }
  return "?";
}

}  // namespace

std::string bytes_of(const Packet& packet, std::uint16_t id, std::uint8_t route) {
  return ip(packet, payload_of(packet, id), id, route);
}

bool comes_in_fragments(const Packet& packet) {
  const bool known = packet.protocol == tcp || packet.protocol == udp || packet.protocol == sctp ||
                     is_icmp(packet);
  return known &&
         (packet.from.bytes()[3] + packet.from_port + packet.to_port + packet.icmp_type) % 4 == 0;
}

std::vector<std::string> fragments_of(const std::string& bytes) {
  const bool v6 = is_ipv6(bytes);
  const std::string header = bytes.substr(0, v6 ? 40 : 20);
  const std::string payload = bytes.substr(header.size());
  // IPv6 wants all headers in the first.
  const std::size_t cut = payload.size() > 24 ? 24 : 8;
  std::vector<std::string> out;
  for (const bool first : {true, false}) {
    const auto piece = first ? payload.substr(0, cut) : payload.substr(cut);
    std::string start = header;
    if (v6) {
      start.replace(4, 2, be(8 + piece.size(), 2));
      start.replace(6, 1, be(44, 1));
      start += header[6];
      start += be(0, 1);
      start += be(first ? 1 : cut, 2);
      start += be(id_of(bytes), 4);
    } else {
      start.replace(2, 2, be(20 + piece.size(), 2));
      start.replace(6, 2, be(first ? 0x2000 : cut / 8, 2));
      start.replace(10, 2, be(0, 2));
      start.replace(10, 2, be(checksum(start), 2));
    }
    out.push_back(start + piece);
  }
  return out;
}

std::optional<std::string> opener_of(const Packet& packet) {
  if (packet.state == State::related && is_icmp_error(packet))
    return bytes_of(subject_of(packet), 0);
  if (packet.state != State::established) return {};
  Packet opener = packet;
  opener.state = State::fresh;
  std::swap(opener.from, opener.to);
  std::swap(opener.from_port, opener.to_port);
  if (is_icmp(packet)) {
    const auto request = request_of(packet);
    if (!request) return {};
    opener.icmp_type = *request;
  }
  return bytes_of(opener, 0);
}

std::uint16_t id_of(std::string_view bytes) {
  if (bytes.size() < 20) return 0;
  return static_cast<std::uint16_t>(read(bytes, is_ipv6(bytes) ? 2 : 4, 2));
}

std::string ends_of(std::string_view bytes) {
  // AH of IPv6 is a header before another.
  const bool before_another = is_ipv6(bytes) && protocol_in(bytes) == ah;
  const auto protocol = before_another ? read(bytes, 40, 1) : protocol_in(bytes).number;
  return std::string(addresses_in(bytes)) + be(protocol, 1);
}

bool same_packet(std::string_view a, std::string_view b) {
  if (a.size() < 20 || b.size() < 20) return false;
  return is_ipv6(a) == is_ipv6(b) && id_of(a) == id_of(b) && protocol_in(a) == protocol_in(b) &&
         addresses_in(a) == addresses_in(b);
}

bool same_origin(std::string_view a, std::string_view b) {
  if (a.size() < 20 || b.size() < 20) return false;
  return is_ipv6(a) == is_ipv6(b) && id_of(a) == id_of(b) && protocol_in(a) == protocol_in(b) &&
         source_in(a) == source_in(b);
}

Address source_in(std::string_view bytes) {
  return address_in(bytes, is_ipv6(bytes) ? 8 : 12);
}

Endpoint destination_in(std::string_view bytes, Protocol of) {
  const bool v6 = is_ipv6(bytes);
  const std::size_t port = v6 ? 42 : 22;
  return {.address = address_in(bytes, v6 ? 24 : 16),
          .port = of.has_ports() && bytes.size() >= port + 2
                      ? static_cast<std::uint16_t>(read(bytes, port, 2))
                      : std::uint16_t{0}};
}

std::optional<Answer> answer_in(std::string_view bytes) {
  if (bytes.size() < 20) return {};
  const bool v6 = is_ipv6(bytes);
  const auto protocol = protocol_in(bytes);
  bytes.remove_prefix(std::min<std::size_t>(bytes.size(), v6 ? 40 : 20));
  if (protocol == tcp) {
    const auto flags = read(bytes, 13, 1);
    if ((flags & rst) == 0) return {};
    const auto number = read(bytes, (flags & ack) != 0 ? 8 : 4, 4);
    return Answer{.reset = true, .id = static_cast<std::uint16_t>(number / id_step)};
  }
  const auto unreachable = v6 ? 0x0104U : 0x0303U;
  if (protocol != (v6 ? icmpv6 : icmp) || read(bytes, 0, 2) != unreachable) return {};
  bytes.remove_prefix(std::min<std::size_t>(bytes.size(), 8));
  return Answer{.id = id_of(bytes)};
}

std::string in_words(const Packet& packet) {
  const auto end = [&](const Address& address, std::uint16_t port) {
    return address.text() +
           (packet.protocol.has_ports() ? " port " + std::to_string(port) : std::string());
  };
  std::string out =
      std::string(text(packet.traffic)) + " on " + packet.interface + ", " + packet.protocol.text();
  if (packet.protocol == icmp || packet.protocol == icmpv6)
    out += " type " + std::to_string(packet.icmp_type);
  if (comes_in_fragments(packet)) out += " in fragments if from outside";
  if (packet.mac) out += " mac " + packet.mac->text();
  return out + " " + end(packet.from, packet.from_port) + " to " + end(packet.to, packet.to_port) +
         ", " + std::string(word(packet.state));
}

}  // namespace fwctl::testing
