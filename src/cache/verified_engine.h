// VerifiedEngine: the private copy of an engine that the engine gate let through, with the record it was
// judged by. EngineGate alone constructs it and deserialisers take nothing else, so the type system enforces
// that what is deserialised is the very memory that was hashed, and was hashed first.
#pragma once

#include <span>
#include <utility>

#include "cache/engine_record.h"
#include "core/buffer.h"

namespace skua {

/// Its memory goes back to the pool it came from when it goes: a strategy that has made its session of the
/// bytes lets go of them, and the next engine is read into the same pages.
class VerifiedEngine {
 public:
  VerifiedEngine(VerifiedEngine&&) noexcept = default;
  VerifiedEngine& operator=(VerifiedEngine&&) noexcept = default;
  ~VerifiedEngine() { pool_.give_back(std::move(buffer_)); }

  std::span<const std::byte> bytes() const noexcept { return buffer_.bytes(); }
  const EngineRecord& record() const noexcept { return record_; }

 private:
  friend class EngineGate;
  VerifiedEngine(Buffer buffer, EngineRecord record, BufferPool pool) noexcept
      : buffer_(std::move(buffer)), record_(std::move(record)), pool_(std::move(pool)) {}
  Buffer buffer_;
  EngineRecord record_;
  BufferPool pool_;
};

}  // namespace skua
