// Mutations of the files of a set: each listed one flipped, cut, grown, removed, renamed, swapped, linked,
// replaced and opened to others; the manifest and the signature as files; and what does not belong there.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "trust_mutations.h"

namespace skua::test {
namespace {

constexpr auto kManifest = ErrorCode::kManifest;
constexpr auto kUnsafe = ErrorCode::kEngineDeserialize;
constexpr auto kHash = ErrorCode::kEngineHashMismatch;

std::string engine_of(const std::string& model) { return plan_record(model).file; }

/// Another hex digit for a hex digit, so that a sidecar stays well formed.
char other_byte(char c) { return c == 'a' ? 'b' : std::isxdigit(static_cast<unsigned char>(c)) ? 'a' : 'x'; }

void flip(SignedSet& s, const std::string& name, std::size_t at) {
  std::string bytes = s.read(name);
  bytes[at] = other_byte(bytes[at]);
  s.write(name, bytes);
}

fs::path aside(const SignedSet& s) { return s.folders.temp().path() / "aside"; }

/// What any file of a set is refused for, whatever it is.
void add_unsafe(std::vector<Mutation>& table, const std::string& name) {
  const auto add = [&](const std::string& what, Reason reason, std::function<void(SignedSet&)> spoil) {
    table.push_back({"file: " + name + " " + what, kUnsafe, reason, std::move(spoil)});
  };
  add("linked elsewhere", Reason::kNotRegularFile, [=](SignedSet& s) {
    fs::rename(s.file(name), aside(s));
    fs::create_symlink(aside(s), s.file(name));
  });
  add("a dangling link", Reason::kNotRegularFile, [=](SignedSet& s) {
    fs::remove(s.file(name));
    fs::create_symlink("nowhere", s.file(name));
  });
  add("under a second name", Reason::kFileLinks,
      [=](SignedSet& s) { fs::create_hard_link(s.file(name), aside(s)); });
  add("a FIFO", Reason::kNotRegularFile, [=](SignedSet& s) {
    fs::remove(s.file(name));
    ASSERT_EQ(mkfifo(s.file(name).c_str(), 0644), 0);
  });
  add("a folder", Reason::kNotRegularFile, [=](SignedSet& s) {
    fs::remove(s.file(name));
    fs::create_directory(s.file(name));
  });
  add("writable by the group", Reason::kFileMode,
      [=](SignedSet& s) { fs::permissions(s.file(name), fs::perms::group_write, fs::perm_options::add); });
  add("writable by others", Reason::kFileMode,
      [=](SignedSet& s) { fs::permissions(s.file(name), fs::perms::others_write, fs::perm_options::add); });
  add("of another owner", Reason::kFileOwner, [=](SignedSet& s) {
    s.spy.edit_info = [base = fs::path(name).filename().string()](const std::string& file, FileInfo& info) {
      if (file == base) info.owner = 4242;
    };
  });
}

struct Listed {
  std::string name;
  ErrorCode code;  ///< of a changed byte
  Reason reason;
};

std::vector<Listed> listed_files() {
  std::vector<Listed> files;
  for (const std::string model : {"alpha", "beta"}) {
    files.push_back({engine_of(model), kHash, Reason::kSidecarHashMismatch});
    files.push_back({engine_of(model) + ".sha256", kHash, Reason::kSidecarHashMismatch});
    files.push_back({engine_of(model) + ".json", kManifest, Reason::kListedFileHashMismatch});
    files.push_back({"golden/" + engine_of(model) + ".golden", kManifest, Reason::kListedFileHashMismatch});
  }
  return files;
}

void add_listed(std::vector<Mutation>& table, const Listed& file) {
  const std::string name = file.name;
  const auto add = [&](const std::string& what, ErrorCode code, Reason reason,
                       std::function<void(SignedSet&)> spoil) {
    table.push_back({"file: " + name + " " + what, code, reason, std::move(spoil)});
  };
  add("first byte", file.code, file.reason, [=](SignedSet& s) { flip(s, name, 0); });
  add("middle byte", file.code, file.reason, [=](SignedSet& s) { flip(s, name, s.read(name).size() / 2); });
  add("last byte", file.code, file.reason, [=](SignedSet& s) { flip(s, name, s.read(name).size() - 1); });
  add("cut by a byte", kManifest, Reason::kFileSizeMismatch,
      [=](SignedSet& s) { fs::resize_file(s.file(name), fs::file_size(s.file(name)) - 1); });
  add("emptied", kManifest, Reason::kFileSizeMismatch, [=](SignedSet& s) { s.write(name, ""); });
  add("grown by a byte", kManifest, Reason::kFileSizeMismatch,
      [=](SignedSet& s) { s.write(name, s.read(name) + std::string(1, '\0')); });
  add("doubled", kManifest, Reason::kFileSizeMismatch,
      [=](SignedSet& s) { s.write(name, s.read(name) + s.read(name)); });
  add("removed", kManifest, Reason::kListedFileMissing, [=](SignedSet& s) { fs::remove(s.file(name)); });
  add("renamed", kManifest, Reason::kUnlistedFile,
      [=](SignedSet& s) { fs::rename(s.file(name), s.file(name + ".old")); });
  add("renamed to upper case", kManifest, Reason::kUnlistedFile,
      [=](SignedSet& s) { fs::rename(s.file(name), s.file(fs::path(name).parent_path() / "UPPER.engine")); });
  add_unsafe(table, name);
}

void swap(SignedSet& s, const std::string& one, const std::string& other) {
  const std::string bytes = s.read(one);
  ASSERT_NE(bytes, s.read(other)) << "a swap that changes nothing";
  s.write(one, s.read(other));
  s.write(other, bytes);
}

void add_swaps(std::vector<Mutation>& table) {
  const auto add = [&](const std::string& ending, ErrorCode code, Reason reason) {
    table.push_back({"file: two of " + ending + " swapped", code, reason, [=](SignedSet& s) {
                       swap(s, engine_of("alpha") + ending, engine_of("beta") + ending);
                     }});
  };
  add("", kHash, Reason::kSidecarHashMismatch);
  add(".sha256", kHash, Reason::kSidecarHashMismatch);
  add(".json", kManifest, Reason::kFileSizeMismatch);
  table.push_back({"file: two engines swapped with their sidecars", kHash, Reason::kManifestHashMismatch,
                   [](SignedSet& s) {
                     swap(s, engine_of("alpha"), engine_of("beta"));
                     swap(s, engine_of("alpha") + ".sha256", engine_of("beta") + ".sha256");
                   }});
  table.push_back(
      {"file: another engine with its own sidecar", kHash, Reason::kManifestHashMismatch, [](SignedSet& s) {
         std::string engine = s.read(engine_of("alpha"));
         engine[40] = 'x';
         s.write(engine_of("alpha"), engine);
         s.write(engine_of("alpha") + ".sha256", digest_of(engine).hex());
       }});
}

void add_own_files(std::vector<Mutation>& table) {
  for (const char* const name : {"flight-manifest.json", "model.sig"}) add_unsafe(table, name);
  table.push_back({"file: flight-manifest.json removed", kManifest, Reason::kManifestMissing,
                   [](SignedSet& s) { fs::remove(s.file("flight-manifest.json")); }});
  table.push_back({"file: model.sig removed", kManifest, Reason::kUnsignedSet,
                   [](SignedSet& s) { fs::remove(s.file("model.sig")); }});
  table.push_back({"file: model.sig renamed", kManifest, Reason::kUnsignedSet,
                   [](SignedSet& s) { fs::rename(s.file("model.sig"), s.file("Model.sig")); }});
  table.push_back({"file: manifest and signature swapped", kManifest, Reason::kSignatureMalformed,
                   [](SignedSet& s) { swap(s, "flight-manifest.json", "model.sig"); }});
}

}  // namespace

std::vector<Mutation> file_mutations() {
  std::vector<Mutation> table;
  for (const Listed& file : listed_files()) add_listed(table, file);
  add_swaps(table);
  add_own_files(table);
  return table;
}

std::vector<Mutation> folder_mutations() {
  std::vector<Mutation> table;
  for (const char* const name : {"notes.txt",
                                 ".hidden",
                                 ".gitignore",
                                 ".gitattributes",
                                 ".git/evil.so",
                                 ".github/workflows/x.yml",
                                 "golden/notes.txt",
                                 "golden/.hidden",
                                 "golden/deep/file",
                                 "deep/deeper/file",
                                 "model.sig.bak",
                                 "model.sig~",
                                 "MODEL.SIG",
                                 "flight-manifest.json.bak",
                                 "golden/flight-manifest.json",
                                 "golden/model.sig",
                                 "CURRENT",
                                 " ",
                                 "a\nb",
                                 "\xff",
                                 ".tmp-0123456789abcdef"}) {
    table.push_back({std::string("folder: extra file '") + name + "'", kManifest, Reason::kUnlistedFile,
                     [=](SignedSet& s) { s.write(name, "x"); }});
  }
  const auto extra = [&](const std::string& what, std::function<void(SignedSet&)> spoil) {
    table.push_back({"folder: " + what, kManifest, Reason::kUnlistedFile, std::move(spoil)});
  };
  extra("an empty folder", [](SignedSet& s) { fs::create_directory(s.file("empty")); });
  extra("an empty hidden folder", [](SignedSet& s) { fs::create_directory(s.file(".git")); });
  extra("an empty folder in golden", [](SignedSet& s) { fs::create_directory(s.file("golden/empty")); });
  extra("an extra link", [](SignedSet& s) { fs::create_symlink("/", s.file("root")); });
  extra("an extra link to a listed file",
        [](SignedSet& s) { fs::create_symlink(s.engine(), s.file("x.engine")); });
  extra("an extra FIFO", [](SignedSet& s) { ASSERT_EQ(mkfifo(s.file("pipe").c_str(), 0644), 0); });
  extra("an extra engine", [](SignedSet& s) { s.write(engine_of("gamma"), plan_bytes()); });
  table.push_back({"folder: golden removed", kManifest, Reason::kListedFileMissing,
                   [](SignedSet& s) { fs::remove_all(s.file("golden")); }});
  for (const std::string folder : {"", "golden"}) {
    const std::string shown = folder.empty() ? "the set" : folder;
    for (const auto& [who, bit] :
         {std::pair{"the group", fs::perms::group_write}, std::pair{"others", fs::perms::others_write}}) {
      table.push_back(
          {"folder: " + shown + " writable by " + who, kUnsafe, Reason::kFileMode,
           [=, bit = bit](SignedSet& s) { fs::permissions(s.file(folder), bit, fs::perm_options::add); }});
    }
    table.push_back(
        {"folder: " + shown + " of another owner", kUnsafe, Reason::kFileOwner, [=](SignedSet& s) {
           s.spy.edit_info = [=](const std::string& name, FileInfo& info) {
             if (name == (folder.empty() ? "set-1" : folder)) info.owner = 4242;
           };
         }});
  }
  return table;
}

namespace {

TEST(TrustMutations, OfTheFilesAreRefused) { expect_refused(file_mutations()); }

TEST(TrustMutations, OfTheFolderAreRefused) { expect_refused(folder_mutations()); }

}  // namespace
}  // namespace skua::test
