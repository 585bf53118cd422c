// VerifiedEngine: the private copy of an engine that the engine gate let through, with the record it was
// judged by. EngineGate alone constructs it and deserialisers take nothing else, so the type system enforces
// that what is deserialised is the very memory that was hashed, and was hashed first.
#pragma once

#include <span>
#include <utility>

#include "cache/engine_record.h"
#include "core/buffer.h"

namespace skua {

class VerifiedEngine {
 public:
  VerifiedEngine(VerifiedEngine&&) noexcept = default;
  VerifiedEngine& operator=(VerifiedEngine&&) noexcept = default;

  std::span<const std::byte> bytes() const noexcept { return buffer_.bytes(); }
  const EngineRecord& record() const noexcept { return record_; }
  /// Gives the memory back for reuse once the SDK has taken what it needs.
  Buffer release_buffer() noexcept { return std::move(buffer_); }

 private:
  friend class EngineGate;
  VerifiedEngine(Buffer buffer, EngineRecord record) noexcept
      : buffer_(std::move(buffer)), record_(std::move(record)) {}
  Buffer buffer_;
  EngineRecord record_;
};

}  // namespace skua
