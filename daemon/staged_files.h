// The files that a change of the policy writes: beside those that are there, then in their places,
// and back.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "daemon/added_file.h"
#include "daemon/files.h"
#include "daemon/result.h"

namespace fwctl {

struct FileChange {
  std::string path;
  std::optional<std::string> text;  // nullopt: the file goes
};

class StagedFiles {
 public:
  // Writes the new content of each beside it; no file is changed. Destroyed without publish(), that
  // is removed again. `unsynced` need not survive a power loss: another place has its text.
  static Result<StagedFiles> write(const std::vector<FileChange>& files,
                                   const std::filesystem::path& unsynced);

  // Nothing beside it: rules.yaml, which takes it, gets `insertion` where it is; `text` has that
  // already. All three must outlive this.
  static StagedFiles inserting(AddedFile& file, const policy::Insertion& insertion,
                               const std::string& text);

  // What is written in place is there from then on. After an error it is as it was.
  Result<void> insert();

  // Whether publish() puts another file at that path.
  bool replaces(const std::filesystem::path& path) const;
  // The rest is. After an error some are in their places, and some are not.
  Result<void> publish();

  // Puts what was there before back to where it is no longer. All of them are tried; what failed is
  // returned.
  std::vector<Error> restore() const;

 private:
  struct Replaced {
    std::optional<StagedFile> file;  // nullopt: it goes
    std::string path;
    std::optional<std::string> before;
  };
  struct Inserted {
    AddedFile* file;
    const policy::Insertion* insertion;
    const std::string* text;
    bool done = false;
  };
  static Result<void> put_back(const Replaced& replaced);

  std::vector<Replaced> files_;
  std::optional<Inserted> inserted_;
};

}  // namespace fwctl
