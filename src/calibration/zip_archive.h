// The owner of an archive of libzip.
#pragma once

#include <zip.h>

#include <memory>

namespace skua::calibration {

struct DiscardArchive {  // never zip_close, which would write
  void operator()(zip_t* archive) const noexcept { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, DiscardArchive>;

}  // namespace skua::calibration
