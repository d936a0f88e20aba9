#include "daemon/staged_files.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace fwctl {

Result<StagedFiles> StagedFiles::write(const std::vector<FileChange>& files,
                                       const std::filesystem::path& unsynced) {
  StagedFiles out;
  for (const auto& [path, text] : files) {
    auto before = read_file(path);
    if (!before) return tl::unexpected(before.error());
    Replaced replaced{.file = {}, .path = path, .before = std::move(*before)};
    if (text) {
      auto staged =
          StagedFile::write(path, *text, path == unsynced ? Safety::unsynced : Safety::synced);
      if (!staged) return tl::unexpected(staged.error());
      replaced.file.emplace(std::move(*staged));
    }
    out.files_.push_back(std::move(replaced));
  }
  return out;
}

StagedFiles StagedFiles::inserting(AddedFile& file, const policy::Insertion& insertion,
                                   const std::string& text) {
  StagedFiles out;
  out.inserted_ = {.file = &file, .insertion = &insertion, .text = &text};
  return out;
}

Result<void> StagedFiles::insert() {
  if (!inserted_) return {};
  auto done = inserted_->file->insert(*inserted_->insertion, *inserted_->text);
  inserted_->done = done.has_value();
  return done;
}

bool StagedFiles::replaces(const std::filesystem::path& path) const {
  return std::ranges::any_of(
      files_, [&](const Replaced& one) { return one.file && one.path == path.native(); });
}

Result<void> StagedFiles::publish() {
  for (auto& replaced : files_) {
    auto done = replaced.file ? replaced.file->publish() : remove_durably(replaced.path);
    if (!done) return done;
  }
  return {};
}

std::vector<Error> StagedFiles::restore() const {
  std::vector<Error> out;
  if (inserted_ && inserted_->done)
    if (const auto done = inserted_->file->take_out(*inserted_->insertion, *inserted_->text); !done)
      out.push_back(done.error());
  for (const auto& replaced : files_)
    if (const auto done = put_back(replaced); !done) out.push_back(done.error());
  return out;
}

Result<void> StagedFiles::put_back(const Replaced& replaced) {
  const auto there = read_file(replaced.path);
  if (there && *there == replaced.before) return {};
  if (!replaced.before) {
    ::unlink(replaced.path.c_str());
    return {};
  }
  auto staged = StagedFile::write(replaced.path, *replaced.before);
  return staged ? staged->publish() : Result<void>(tl::unexpected(staged.error()));
}

}  // namespace fwctl
