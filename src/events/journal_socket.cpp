#include "events/journal_socket.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "events/escape.h"
#include "events/log_record.h"

namespace skua {
namespace {

constexpr std::size_t kMaxFields = 64;
constexpr std::size_t kMaxFieldName = 64;  // journald ignores fields with longer names

/// "NAME=text\n", or, for a text with a newline, "NAME\n", its length as 64 bits little-endian, text, "\n".
void append_field(std::string& out, std::string_view name, std::string_view text) {
  out += name;
  if (text.find('\n') == std::string_view::npos) {
    out += '=';
  } else {
    out += '\n';
    const std::uint64_t size = text.size();
    for (unsigned shift = 0; shift < 64; shift += 8) out += static_cast<char>((size >> shift) & 0xFFU);
  }
  out += text;
  out += '\n';
}

/// Syslog's severities, syslog(3).
std::string_view priority_of(Level level) {
  switch (level) {
    case Level::kDebug:
      return "7";
    case Level::kInfo:
      return "6";
    case Level::kWarn:
      return "4";
    case Level::kError:
      break;
  }
  return "3";
}

std::string field_name(std::string_view key) {
  std::string name = "SKUA_KV_";
  for (const char c : key.substr(0, kMaxFieldName - name.size())) {
    const bool is_lower = c >= 'a' && c <= 'z';
    const bool is_kept = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += is_lower ? static_cast<char>(c - 'a' + 'A') : is_kept ? c : '_';
  }
  return name;
}

std::string text_of(const Event::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->substr(0, kLogTextLimit);
  return json_of(value);
}

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  std::memcpy(address.sun_path, text.data(), std::min(text.size(), sizeof(address.sun_path) - 1));
  return address;
}

int send_message(int fd, const std::filesystem::path& path, msghdr& message) {
  if (path.native().size() >= sizeof(sockaddr_un::sun_path)) return ENAMETOOLONG;
  sockaddr_un address = address_of(path);
  message.msg_name = &address;
  message.msg_namelen = sizeof(address);
  for (;;) {
    if (::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

/// A message without data that carries one descriptor.
int send_descriptor(int fd, const std::filesystem::path& path, int carried) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &carried, sizeof(int));
  return send_message(fd, path, message);
}

int write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

std::string encode_journal_entry(const Event& event, std::string_view record) {
  std::string out;
  append_field(out, "PRIORITY", priority_of(event.level));
  append_field(out, "SYSLOG_IDENTIFIER", "skua");
  append_field(out, "MESSAGE", printable_text(std::string_view(event.message).substr(0, kLogTextLimit)));
  append_field(out, "SKUA_KIND", printable_text(event.kind));
  const auto frame = frame_id_of(event);
  if (frame) append_field(out, "SKUA_FRAME_ID", std::to_string(*frame));
  for (std::size_t i = 0; i < std::min(event.fields.size(), kMaxFields); ++i) {
    const Event::Field& field = event.fields[i];
    if (frame && field.key == "frame_id") continue;
    append_field(out, field_name(field.key), text_of(field.value));
  }
  append_field(out, "SKUA_RECORD", record);
  return out;
}

JournalSocket::JournalSocket(std::filesystem::path path)
    : path_(std::move(path)), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}

JournalSocket::~JournalSocket() {
  if (fd_ >= 0) ::close(fd_);
}

int JournalSocket::send_datagram(std::string_view entry) const {
  iovec part{const_cast<char*>(entry.data()), entry.size()};  // sendmsg only reads it
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return send_message(fd_, path_, message);
}

int JournalSocket::send_memory_file(std::string_view entry) const {
  const int file = ::memfd_create("skua-journal", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return errno;
  int error_number = write_whole(file, entry);
  // journald takes a memory file only when nobody can change it any more.
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  if (error_number == 0 && ::fcntl(file, F_ADD_SEALS, kSeals) < 0) error_number = errno;
  if (error_number == 0) error_number = send_descriptor(fd_, path_, file);
  ::close(file);
  return error_number;
}

void JournalSocket::send(std::string_view entry) {
  int error_number = send_datagram(entry);
  if (error_number == EMSGSIZE || error_number == ENOBUFS) error_number = send_memory_file(entry);
  if (error_number == 0) {
    ++written_;
    problem_.clear();
    return;
  }
  ++lost_;
  problem_ = path_.native() + ": " + std::system_category().message(error_number);
}

}  // namespace skua
