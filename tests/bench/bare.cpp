// One transaction, and nothing around it: what the kernel takes for so many elements, whoever sends
// them.
//
//   bare pairs|prefixes|ports|sources COUNT [FILE BYTES]
//
// Makes table inet bench, which must not be there, with a set of a declared size that has as many
// pairs or prefixes as shapes.py makes; or with a map to verdicts that has its rules, by port or by
// source address and port, each with a counter and an id, as fwctl holds them. From numbers,
// without a text, straight into one batch. With FILE it first writes so many bytes over what is in
// it and syncs them: the least that it costs to keep a text of that length, too.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>  // before linux/netfilter.h
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

constexpr const char* table = "bench";
constexpr const char* set = "bare";
// A message holds so many bytes of elements, at most 65535 of them in one attribute.
constexpr std::size_t most_in_message = 60'000;
// Around an element of either kind, its key among it.
constexpr std::size_t most_for_element = 48;
constexpr std::size_t most_for_rule = 72;

// nft's numbers for the types of a key: ipv4_addr, and ipv4_addr . inet_proto . inet_service.
constexpr std::uint32_t type_of_prefixes = 7;
constexpr std::uint32_t type_of_pairs = 7 << 12 | 12 << 6 | 13;
constexpr std::uint32_t type_of_ports = 12 << 6 | 13;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class Batch {
 public:
  explicit Batch(std::size_t elements, std::size_t most_for_each = most_for_element)
      : buffer_(most_in_message + elements * most_for_each) {
    frame(NFNL_MSG_BATCH_BEGIN, 0);
    begin(NFT_MSG_NEWTABLE, NLM_F_CREATE);
    mnl_attr_put_strz(message_, NFTA_TABLE_NAME, table);
  }

  void add_set(std::uint32_t type, std::uint32_t key_length, std::uint32_t flags,
               std::uint32_t size) {
    begin(NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
    mnl_attr_put_strz(message_, NFTA_SET_TABLE, table);
    mnl_attr_put_strz(message_, NFTA_SET_NAME, set);
    mnl_attr_put_u32(message_, NFTA_SET_ID, htonl(1));
    mnl_attr_put_u32(message_, NFTA_SET_FLAGS, htonl(flags));
    mnl_attr_put_u32(message_, NFTA_SET_KEY_TYPE, htonl(type));
    mnl_attr_put_u32(message_, NFTA_SET_KEY_LEN, htonl(key_length));
    auto* description = mnl_attr_nest_start(message_, NFTA_SET_DESC);
    mnl_attr_put_u32(message_, NFTA_SET_DESC_SIZE, htonl(size));
    mnl_attr_nest_end(message_, description);
  }

  void add_map(std::uint32_t type, std::uint32_t key_length, std::uint32_t size) {
    add_set(type, key_length, NFT_SET_MAP, size);
    mnl_attr_put_u32(message_, NFTA_SET_DATA_TYPE, htonl(NFT_DATA_VERDICT));
    auto* counter = mnl_attr_nest_start(message_, NFTA_SET_EXPR);
    mnl_attr_put_strz(message_, NFTA_EXPR_NAME, "counter");
    auto* data = mnl_attr_nest_start(message_, NFTA_EXPR_DATA);
    mnl_attr_put_u64(message_, NFTA_COUNTER_BYTES, 0);
    mnl_attr_put_u64(message_, NFTA_COUNTER_PACKETS, 0);
    mnl_attr_nest_end(message_, data);
    mnl_attr_nest_end(message_, counter);
  }

  // `rule`: the number in the id of one that accepts; an element of a map has one.
  template <typename Key>
  void add_element(const Key& key, std::uint32_t flags = 0,
                   std::optional<std::uint32_t> rule = std::nullopt) {
    if (elements_ == nullptr || message_->nlmsg_len > most_in_message) {
      end_elements();
      begin(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL);
      mnl_attr_put_strz(message_, NFTA_SET_ELEM_LIST_TABLE, table);
      mnl_attr_put_strz(message_, NFTA_SET_ELEM_LIST_SET, set);
      elements_ = mnl_attr_nest_start(message_, NFTA_SET_ELEM_LIST_ELEMENTS);
    }
    auto* element = mnl_attr_nest_start(message_, NFTA_LIST_ELEM);
    if (flags != 0) mnl_attr_put_u32(message_, NFTA_SET_ELEM_FLAGS, htonl(flags));
    auto* nested = mnl_attr_nest_start(message_, NFTA_SET_ELEM_KEY);
    mnl_attr_put(message_, NFTA_DATA_VALUE, sizeof key, &key);
    mnl_attr_nest_end(message_, nested);
    if (rule) put_rule(*rule);
    mnl_attr_nest_end(message_, element);
  }

  // The kernel answers to its last message alone, unless it refuses some.
  std::string_view finish() {
    end_elements();
    frame(NFNL_MSG_BATCH_END, NLM_F_ACK);
    close();
    return {buffer_.data(), length_};
  }

 private:
  void put_rule(std::uint32_t number) {
    auto* data = mnl_attr_nest_start(message_, NFTA_SET_ELEM_DATA);
    auto* verdict = mnl_attr_nest_start(message_, NFTA_DATA_VERDICT);
    mnl_attr_put_u32(message_, NFTA_VERDICT_CODE, htonl(NF_ACCEPT));
    mnl_attr_nest_end(message_, verdict);
    mnl_attr_nest_end(message_, data);
    // As nft keeps a comment: type, length, and the text with its NUL.
    std::array<char, 12> comment{0, 10, 'r'};
    for (std::size_t digit = 0; digit < 8; ++digit)
      comment[3 + digit] = "0123456789abcdef"[number >> (28 - 4 * digit) & 15];
    mnl_attr_put(message_, NFTA_SET_ELEM_USERDATA, comment.size(), comment.data());
  }

  void put_header(int type, int flags, std::uint8_t family, std::uint16_t resource) {
    close();
    message_ = mnl_nlmsg_put_header(buffer_.data() + length_);
    message_->nlmsg_type = static_cast<std::uint16_t>(type);
    message_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    message_->nlmsg_seq = ++sequence_;
    const nfgenmsg generic{
        .nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};
    std::memcpy(mnl_nlmsg_put_extra_header(message_, sizeof generic), &generic, sizeof generic);
  }
  void begin(int type, int flags) {
    put_header(NFNL_SUBSYS_NFTABLES << 8 | type, flags, NFPROTO_INET, 0);
  }
  void frame(int type, int flags) { put_header(type, flags, AF_UNSPEC, NFNL_SUBSYS_NFTABLES); }

  void end_elements() {
    if (elements_ != nullptr) mnl_attr_nest_end(message_, elements_);
    elements_ = nullptr;
  }
  void close() {
    if (message_ != nullptr) length_ += message_->nlmsg_len;
    message_ = nullptr;
  }

  std::vector<char> buffer_;
  std::size_t length_ = 0;
  nlmsghdr* message_ = nullptr;
  nlattr* elements_ = nullptr;
  std::uint32_t sequence_ = 0;
};

struct Close {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};

void send(std::string_view batch) {
  const std::unique_ptr<mnl_socket, Close> socket(mnl_socket_open(NETLINK_NETFILTER));
  if (socket == nullptr || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
    fail("a netlink socket");
  const int room = static_cast<int>(batch.size());
  if (setsockopt(mnl_socket_get_fd(socket.get()), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) <
      0)
    fail("its buffer");
  if (mnl_socket_sendto(socket.get(), batch.data(), batch.size()) < 0) fail("sendto");
  std::array<char, 8192> answer{};
  const auto length = mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
  // An answer of 0 is of the last message; any other is -1 with errno.
  if (length < 0 ||
      mnl_cb_run(answer.data(), static_cast<std::size_t>(length), 0, 0, nullptr, nullptr) < 0)
    fail("the transaction");
}

// As the kernel has it: each field at a multiple of four bytes.
struct Pair {
  std::uint32_t address;
  std::array<std::uint8_t, 4> protocol;
  std::uint16_t port;
  std::uint16_t padding;
};

// shapes.pairs()
void pairs(std::uint32_t count) {
  Batch batch(count);
  batch.add_set(type_of_pairs, sizeof(Pair), 0, count);
  for (std::uint32_t index = 0; index < count; ++index)
    batch.add_element(Pair{.address = htonl(0x10000000U + (index * 2654435761U & 0x0fffffffU)),
                           .protocol = {IPPROTO_TCP},
                           .port = htons(static_cast<std::uint16_t>(1024 + index * 7 % 60'000)),
                           .padding = 0});
  send(batch.finish());
}

struct Port {
  std::array<std::uint8_t, 4> protocol;
  std::uint16_t port;
  std::uint16_t padding;
};

constexpr std::uint32_t last_port = 10'000;

// shapes.rules() by port
void ports(std::uint32_t count) {
  Batch batch(count, most_for_rule);
  batch.add_map(type_of_ports, sizeof(Port), count);
  for (std::uint32_t port = last_port - count + 1; port <= last_port; ++port)
    batch.add_element(Port{.protocol = {IPPROTO_TCP},
                           .port = htons(static_cast<std::uint16_t>(port)),
                           .padding = 0},
                      0, port);
  send(batch.finish());
}

// shapes.rules() by source address and port, but for the last one's address
void sources(std::uint32_t count) {
  Batch batch(count, most_for_rule);
  batch.add_map(type_of_pairs, sizeof(Pair), count);
  for (std::uint32_t port = last_port - count + 1; port <= last_port; ++port)
    batch.add_element(Pair{.address = htonl(0x0a800000U + port * 37),
                           .protocol = {IPPROTO_TCP},
                           .port = htons(static_cast<std::uint16_t>(port)),
                           .padding = 0},
                      0, port);
  send(batch.finish());
}

// shapes.prefixes()
void prefixes(std::uint32_t count) {
  constexpr std::array<unsigned, 8> lengths{32, 24, 32, 28, 32, 23, 32, 27};
  Batch batch(std::size_t{2} * count);
  batch.add_set(type_of_prefixes, sizeof(std::uint32_t), NFT_SET_INTERVAL, 2 * count);
  for (std::uint32_t index = 0; index < count; ++index) {
    const std::uint32_t first = 0x10000000U + index * 1024;
    const std::uint32_t behind = first + (1U << (32 - lengths[index % lengths.size()]));
    batch.add_element(htonl(first));
    batch.add_element(htonl(behind), NFT_SET_ELEM_INTERVAL_END);
  }
  send(batch.finish());
}

void keep(const std::string& path, std::size_t bytes) {
  const std::string text(bytes, 'x');
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) fail("the file");
  if (::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) fail("write");
  if (::fdatasync(file) != 0) fail("fdatasync");
  ::close(file);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const std::map<std::string, void (*)(std::uint32_t)> kinds{
        {"pairs", pairs}, {"prefixes", prefixes}, {"ports", ports}, {"sources", sources}};
    if ((words.size() != 2 && words.size() != 4) || !kinds.contains(words[0]))
      throw std::runtime_error("usage: bare pairs|prefixes|ports|sources COUNT [FILE BYTES]");
    if (words.size() == 4) keep(words[2], std::stoul(words[3]));
    kinds.at(words[0])(static_cast<std::uint32_t>(std::stoul(words[1])));
  } catch (const std::exception& problem) {
    std::cerr << "bare: " << problem.what() << "\n";
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
