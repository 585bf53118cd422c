// Stable reason codes: what scripts and operators key on. A code is never renamed or reused;
// docs/reference/reasons.md lists each with its meaning and remedy, and a test holds the two lists together.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace skua {

// clang-format off
/// Name in code, name in messages and in --json, sentence for the hot path (where no text is composed).
#define SKUA_REASONS(X) \
  X(kNone,                     "none",                      "no reason recorded") \
  /* arguments */ \
  X(kInvalidArgument,          "invalid_argument",          "an argument is not allowed here") \
  X(kForeignHandle,            "foreign_handle",            "the handle belongs to another runtime or was released") \
  X(kForkedProcess,            "forked_process",            "the process was forked from one that had built a runtime") \
  X(kAirborneCannotBuild,      "airborne_cannot_build",     "an airborne runtime never compiles an engine") \
  X(kNotInFlightSet,           "not_in_flight_set",         "the engine is not one of the verified flight set") \
  X(kLaneNotDeclared,          "lane_not_declared",         "the lane was not declared before the runtime was sealed") \
  X(kPreConstructedMissing,    "pre_constructed_missing",   "an instance that a consumer needs was not constructed") \
  X(kRuntimeNotAirborne,       "runtime_not_airborne",      "the runtime is for research and never flies") \
  /* engine gate, in its order */ \
  X(kEngineNameMalformed,      "engine_name_malformed",     "the file name is not an engine name") \
  X(kHostMismatch,             "host_mismatch",             "SM, JetPack or TensorRT of the engine is not this host's") \
  X(kPrecisionMismatch,        "precision_mismatch",        "the engine's precision is not the recorded one") \
  X(kEngineMissing,            "engine_missing",            "the engine file does not exist") \
  X(kSidecarMissing,           "sidecar_missing",           "the .sha256 sidecar does not exist") \
  X(kSidecarMalformed,         "sidecar_malformed",         "the .sha256 sidecar is not 64 lower-case hex digits") \
  X(kNotRegularFile,           "not_regular_file",          "the path is a link, a folder or a device, not a regular file") \
  X(kFileOwner,                "file_owner",                "the file belongs to another user") \
  X(kFileMode,                 "file_mode",                 "the file is writable by others") \
  X(kFileLinks,                "file_links",                "the file has a second name (hard link)") \
  X(kFileSizeMismatch,         "file_size_mismatch",        "the file does not have the recorded size") \
  X(kSidecarHashMismatch,      "sidecar_hash_mismatch",     "the bytes are not those the sidecar names") \
  X(kManifestHashMismatch,     "manifest_hash_mismatch",    "the bytes are not those the manifest or build record names") \
  X(kManifestEntryMissing,     "manifest_entry_missing",    "the manifest or build record does not name this file") \
  X(kBuildRecordMissing,       "build_record_missing",      "the build record does not exist") \
  X(kBuildRecordMalformed,     "build_record_malformed",    "the build record is not well formed") \
  X(kHostFactMismatch,         "host_fact_mismatch",        "a finer fact of the host differs from the recorded one") \
  X(kRuntimeMismatch,          "runtime_mismatch",          "the engine was built for another runtime, provider or device") \
  X(kEngineUnproven,           "engine_unproven",           "the engine was never loaded where it was built") \
  X(kPrecisionNotAirborne,     "precision_not_airborne",    "fp32 reference artifacts never fly") \
  X(kPlanHeaderMismatch,       "plan_header_mismatch",      "the plan header does not belong to this TensorRT") \
  X(kMemoryBudgetExceeded,     "memory_budget_exceeded",    "the engine does not fit into the memory budget") \
  X(kDeserializeFailed,        "deserialize_failed",        "the SDK refused the verified bytes") \
  X(kContractMismatch,         "contract_mismatch",         "inputs, outputs or profiles are not the recorded ones") \
  X(kGoldenMissing,            "golden_missing",            "the golden vectors are missing") \
  X(kGoldenMalformed,          "golden_malformed",          "the golden vector file is not well formed") \
  X(kGoldenHashMismatch,       "golden_hash_mismatch",      "the golden vectors are not the recorded ones") \
  X(kGoldenMismatch,           "golden_mismatch",           "the engine does not reproduce its golden vectors") \
  /* set gate, in its order */ \
  X(kSetMissing,               "set_missing",               "the flight set folder does not exist") \
  X(kCurrentMissing,           "current_missing",           "no CURRENT names the set that flies") \
  X(kCurrentMalformed,         "current_malformed",         "CURRENT does not hold one set id") \
  X(kSignatureNotSupported,    "signature_not_supported",   "given by releases that could not judge signatures") \
  X(kUnsignedSet,              "unsigned_set",              "the set is not signed and the policy wants a signature") \
  X(kNoTrustedKey,             "no_trusted_key",            "no public key was given to judge the signature by") \
  X(kTrustedKeyMalformed,      "trusted_key_malformed",     "the file does not hold one P-256 public key in PEM") \
  X(kSignatureTooLarge,        "signature_too_large",       "model.sig is larger than its limit") \
  X(kSignatureMalformed,       "signature_malformed",       "model.sig is not one signature bundle of the expected form") \
  X(kSignatureKeyUnknown,      "signature_key_unknown",     "the signature was made with a key that is not trusted") \
  X(kSignatureInvalid,         "signature_invalid",         "the signature does not hold for what it covers") \
  X(kStatementMalformed,       "statement_malformed",       "the signed statement is not of the expected form") \
  X(kManifestNotSigned,        "manifest_not_signed",       "the manifest's bytes are not those that were signed") \
  X(kStatementFilesMismatch,   "statement_files_mismatch",  "the signed statement and the manifest list different files") \
  X(kManifestMissing,          "manifest_missing",          "flight-manifest.json does not exist") \
  X(kManifestTooLarge,         "manifest_too_large",        "flight-manifest.json is larger than its limit") \
  X(kManifestMalformed,        "manifest_malformed",        "flight-manifest.json is not well formed") \
  X(kManifestSchemaVersion,    "manifest_schema_version",   "the manifest has a schema version this release does not know") \
  X(kSetIdMismatch,            "set_id_mismatch",           "the manifest's set id is not the folder's name") \
  X(kSequenceTooOld,           "sequence_too_old",          "the set's release sequence is older than one accepted before") \
  X(kSequenceStepTooLarge,     "sequence_step_too_large",   "the set's release sequence is further ahead than one step may be") \
  X(kRatchetDamaged,           "ratchet_damaged",           "no copy of the last accepted release sequence can be read") \
  X(kRatchetNotWritten,        "ratchet_not_written",       "the accepted release sequence could not be kept") \
  X(kExpiryNotSupported,       "expiry_not_supported",      "given by releases that could not judge an expiry date") \
  X(kSetExpired,               "set_expired",               "the set's expiry date has passed") \
  X(kPolicyNotAirborne,        "policy_not_airborne",       "a relaxation that is for the ground was asked for in the air") \
  X(kUnlistedFile,             "unlisted_file",             "the set folder holds a file that the manifest does not list") \
  X(kListedFileMissing,        "listed_file_missing",       "a file that the manifest lists is not there") \
  X(kListedFileHashMismatch,   "listed_file_hash_mismatch", "a listed file's bytes are not those the manifest names") \
  X(kSetTooLarge,              "set_too_large",             "the set is larger than the configured limit") \
  /* compile */ \
  X(kModelMissing,             "model_missing",             "the model file does not exist") \
  X(kModelUnreadable,          "model_unreadable",          "the model file cannot be read") \
  X(kModelEmpty,               "model_empty",               "the model holds no network") \
  X(kModelMalformed,           "model_malformed",           "the model file is damaged or of another kind") \
  X(kModelTooLarge,            "model_too_large",           "the model with its weights is larger than 2 GB") \
  X(kModelUnsupported,         "model_unsupported",         "the model uses something this runtime does not have") \
  X(kModelIdMismatch,          "model_id_mismatch",         "two files of one network carry different model ids or weights") \
  X(kExternalWeights,          "external_weights",          "external weights are missing or lie outside the model's folder") \
  X(kPrecisionNotSupported,    "precision_not_supported",   "the runtime cannot build this precision from this model") \
  X(kProviderNotAvailable,     "provider_not_available",    "the configured execution provider is not available here") \
  X(kNodesOnOtherProvider,     "nodes_on_other_provider",   "some nodes run on another provider than the configured one") \
  X(kOutputUnbounded,          "output_unbounded",          "an output has no upper bound on its shape") \
  X(kProfileMismatch,          "profile_mismatch",          "the optimisation profiles do not fit the model") \
  X(kReferenceUnavailable,     "reference_unavailable",     "no golden vectors could be obtained") \
  X(kDataSetMalformed,         "data_set_malformed",        "the calibration data set holds what is no sample") \
  X(kDataSetChanged,           "data_set_changed",          "the calibration data set changed while it was read") \
  X(kCalibrationMismatch,      "calibration_mismatch",      "the model was quantised from another source or with other data") \
  X(kAccuracyTooLow,           "accuracy_too_low",          "on held-out samples the artifact is too far from float32") \
  X(kCalibrationIncomplete,    "calibration_incomplete",    "a sample was not used, or a tensor has no scale") \
  X(kBuilderCrashed,           "builder_crashed",           "the build process died") \
  X(kBuilderTimeout,           "builder_timeout",           "the build process took longer than allowed") \
  X(kBuilderMissing,           "builder_missing",           "the build executable or the compiler module is not installed") \
  X(kCancelled,                "cancelled",                 "the operator cancelled") \
  X(kFolderBusy,               "folder_busy",               "another program is writing to this folder") \
  X(kBuilderMemory,            "builder_memory",            "the build process needed more memory than allowed") \
  X(kBuilderConfinement,       "builder_confinement",       "the build process cannot be confined here") \
  X(kKeyExists,                "key_exists",                "a file of this name is there already and keys are never overwritten") \
  X(kPrivateKeyMalformed,      "private_key_malformed",     "the file does not hold one P-256 private key in PEM") \
  X(kPassphraseWrong,          "passphrase_wrong",          "the private key is encrypted and the passphrase does not open it") \
  X(kAlreadySigned,            "already_signed",            "the set has a signature, and a signature is never replaced") \
  X(kUnprovenNotSupported,     "unproven_not_supported",    "this runtime can always prove its engines where it builds them") \
  /* run time */ \
  X(kRuntimeNotBuilt,          "runtime_not_built",         "the runtime was switched off when Skua was built") \
  X(kRuntimeUnknown,           "runtime_unknown",           "no runtime has this label") \
  X(kModuleMissing,            "module_missing",            "the runtime's module cannot be opened") \
  X(kModuleForeign,            "module_foreign",            "the module was built for another Skua") \
  X(kSdkMissing,               "sdk_missing",               "the SDK library cannot be opened") \
  X(kSdkForeign,               "sdk_foreign",               "the SDK library is not the expected one") \
  X(kMissingInput,             "missing_input",             "an input was not given") \
  X(kUnknownName,              "unknown_name",              "no input or output has this name") \
  X(kDtypeMismatch,            "dtype_mismatch",            "a tensor does not have the engine's dtype") \
  X(kShapeMismatch,            "shape_mismatch",            "a tensor's shape lies outside the engine's profile") \
  X(kDeviceMismatch,           "device_mismatch",           "a tensor lies on another device") \
  X(kLaneBusy,                 "lane_busy",                 "another thread is using this lane") \
  X(kEngineReleased,           "engine_released",           "the engine was released") \
  X(kDeadlineMissed,           "deadline_missed",           "the deadline passed; there is no result for this frame") \
  X(kOutputOverflow,           "output_overflow",           "an output is larger than its recorded capacity") \
  X(kExecutionFailed,          "execution_failed",          "the SDK failed while it ran the network") \
  X(kOutOfMemory,              "out_of_memory",             "memory could not be allocated") \
  X(kDeviceLost,               "device_lost",               "the device answers no more until the program is started again") \
  X(kTelemetryUnavailable,     "telemetry_unavailable",     "no thermal sensor answers") \
  X(kFlightStateMalformed,     "flight_state_malformed",    "the record of the flight in progress is not well formed") \
  X(kNoPosition,               "no_position",               "too few matches agree on a place") \
  X(kFrameUnreadable,          "frame_unreadable",          "the frame's image is damaged or of an unknown kind") \
  /* files */ \
  X(kNotFound,                 "not_found",                 "the file or folder does not exist") \
  X(kExists,                   "exists",                    "the file or folder exists already") \
  X(kPermissionDenied,         "permission_denied",         "the operating system denies access") \
  X(kDiskFull,                 "disk_full",                 "no space is left on the device") \
  X(kIo,                       "io_error",                  "the operating system reported an input or output error") \
  X(kTooLarge,                 "too_large",                 "the file is larger than its limit") \
  X(kMalformed,                "malformed",                 "the text is not well formed") \
  X(kInternal,                 "internal",                  "a defect of Skua")

/// The reasons of the table above.
enum class Reason : std::uint8_t {
#define SKUA_REASON_ENUMERATOR(name, text, sentence) name,
  SKUA_REASONS(SKUA_REASON_ENUMERATOR)
#undef SKUA_REASON_ENUMERATOR
};
// clang-format on

/// The stable code, e.g. "sidecar_missing".
std::string_view to_string(Reason reason) noexcept;
/// One sentence for those who have no message.
std::string_view sentence_of(Reason reason) noexcept;
/// Every reason, in the order of the table.
std::span<const Reason> all_reasons() noexcept;

}  // namespace skua
