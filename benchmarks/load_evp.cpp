#include "load_evp.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

namespace skua::bench {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20U;

bool hash_one(const char* path, const EVP_MD* algorithm, std::vector<unsigned char>& piece) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool is_good = EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1;
  ssize_t got = 1;
  while (is_good && got > 0) {
    got = read(file, piece.data(), piece.size());
    if (got > 0) is_good = EVP_DigestUpdate(context.get(), piece.data(), static_cast<std::size_t>(got)) == 1;
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  is_good = is_good && got == 0 && EVP_DigestFinal_ex(context.get(), digest, nullptr) == 1;
  close(file);
  return is_good;
}

}  // namespace

std::string evp_loop(const std::vector<std::filesystem::path>& files, std::size_t workers) {
  const std::unique_ptr<EVP_MD, void (*)(EVP_MD*)> algorithm(EVP_MD_fetch(nullptr, "SHA256", nullptr),
                                                             EVP_MD_free);
  std::atomic<std::size_t> next{0}, failed{files.size()};
  const auto work = [&] {
    std::vector<unsigned char> piece(kPieceBytes);
    for (std::size_t i = next++; i < files.size(); i = next++) {
      if (!hash_one(files[i].c_str(), algorithm.get(), piece)) failed = i;
    }
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < workers; ++i) threads.emplace_back(work);
  work();
  threads.clear();
  return failed == files.size() ? "" : files[failed].string();
}

}  // namespace skua::bench
