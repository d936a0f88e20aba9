// The least that a command costs whose change is in the kernel and kept: it starts, writes one line
// over what is in a file, syncs it, adds one element to a set and ends.
//
//   least_change FILE NUMBER
//
// The line is the NUMBER-th, from 0 on; it has as many bytes as fwctl's own for a rule has. The
// element is the TCP port 20,000 + NUMBER, which must not be in the set `ports` of table inet bench
// yet. Without a library: those that are not linked into the program are found and relocated first.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>  // before linux/netfilter.h
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

constexpr std::size_t length = 160;
constexpr std::size_t block = 4096;  // the file grows by so much
constexpr unsigned first_port = 20'000;

bool write_line(const char* path, std::size_t number) {
  const int file = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const auto at = number * length;
  std::array<char, block> bytes{};
  const auto end = static_cast<std::size_t>(::lseek(file, 0, SEEK_END));
  const std::size_t size = at + length > end ? block : length;
  for (std::size_t byte = 0; byte < length; ++byte) bytes.at(byte) = 'x';
  const bool written =
      ::pwrite(file, bytes.data(), size, static_cast<off_t>(at)) == static_cast<ssize_t>(size);
  return written && ::fdatasync(file) == 0;
}

class Batch {
 public:
  void message(int type, int flags, std::uint8_t family, std::uint16_t resource) {
    message_ = end_;
    nlmsghdr header{};
    header.nlmsg_type = static_cast<std::uint16_t>(type);
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header.nlmsg_seq = ++sequence_;
    append(&header, sizeof header);
    const nfgenmsg generic{
        .nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};
    append(&generic, sizeof generic);
    close();
  }

  // Returns where it begins, for nest().
  std::size_t attribute(int type, const void* data = nullptr, std::size_t size = 0) {
    const std::size_t at = end_;
    const nlattr header{.nla_len = 0, .nla_type = static_cast<std::uint16_t>(type)};
    append(&header, sizeof header);
    append(data, size);
    put_length(at, static_cast<std::uint16_t>(sizeof header + size));
    close();
    return at;
  }
  void text(int type, const char* value) { attribute(type, value, std::strlen(value) + 1); }
  // What was appended since belongs to it.
  void nest(std::size_t at) { put_length(at, static_cast<std::uint16_t>(end_ - at)); }

  const char* data() const { return bytes_.data(); }
  std::size_t size() const { return end_; }

 private:
  void append(const void* data, std::size_t size) {
    if (size != 0) std::memcpy(&bytes_.at(end_), data, size);
    end_ += NLMSG_ALIGN(size);
  }
  void put_length(std::size_t at, std::uint16_t value) {
    std::memcpy(&bytes_.at(at), &value, sizeof value);
  }
  void close() {
    const auto size = static_cast<std::uint32_t>(end_ - message_);
    std::memcpy(&bytes_.at(message_), &size, sizeof size);
  }

  std::array<char, 1024> bytes_{};
  std::size_t end_ = 0;
  std::size_t message_ = 0;
  std::uint32_t sequence_ = 0;
};

// As the kernel has it: each field at a multiple of four bytes.
struct Key {
  std::array<std::uint8_t, 4> protocol;
  std::uint16_t port;
  std::uint16_t padding;
};

bool add_element(std::uint16_t port) {
  Batch batch;
  batch.message(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  batch.message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL,
                NFPROTO_INET, 0);
  batch.text(NFTA_SET_ELEM_LIST_TABLE, "bench");
  batch.text(NFTA_SET_ELEM_LIST_SET, "ports");
  const auto elements = batch.attribute(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED);
  const auto element = batch.attribute(NFTA_LIST_ELEM | NLA_F_NESTED);
  const auto key = batch.attribute(NFTA_SET_ELEM_KEY | NLA_F_NESTED);
  const Key value{.protocol = {IPPROTO_TCP}, .port = htons(port), .padding = 0};
  batch.attribute(NFTA_DATA_VALUE, &value, sizeof value);
  for (const auto at : {key, element, elements}) batch.nest(at);
  // The kernel answers to this message alone, unless it refuses another.
  batch.message(NFNL_MSG_BATCH_END, NLM_F_ACK, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  const int netlink = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (::send(netlink, batch.data(), batch.size(), 0) != static_cast<ssize_t>(batch.size()))
    return false;
  struct {
    nlmsghdr header;
    nlmsgerr error;
    std::array<char, 1024> rest;
  } answer{};
  return ::recv(netlink, &answer, sizeof answer, 0) > 0 &&
         answer.header.nlmsg_type == NLMSG_ERROR && answer.error.error == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return EXIT_FAILURE;
  const auto number = static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10));
  return write_line(argv[1], number) && add_element(static_cast<std::uint16_t>(first_port + number))
             ? EXIT_SUCCESS
             : EXIT_FAILURE;
}
