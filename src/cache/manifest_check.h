// What the fields of a manifest owe each other, beyond being well typed.
#pragma once

#include "cache/manifest.h"

namespace skua {

/// Legal ids, dates and names; sorted and unique files and artifacts; every engine with its sidecar, build
/// record and golden file listed under the digests of its record. Error: kMalformed naming the field.
Status check_manifest(const Manifest& manifest);

}  // namespace skua
