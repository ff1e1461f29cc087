#include "engine/engine.h"

#include <array>
#include <utility>

namespace engine {
namespace {

constexpr std::array<std::pair<KvType, std::string_view>, 5> kNames{{
    {KvType::F32, "f32"},
    {KvType::F16, "f16"},
    {KvType::Int8, "int8"},
    {KvType::Kivi4, "kivi4"},
    {KvType::Kivi2, "kivi2"},
}};

constexpr std::string_view kCodedSuffix = "+coded";

} // namespace

std::string kvTypeName(KvType type)
{
    for (const auto& [each, name] : kNames) {
        if (each == type)
            return std::string(name);
    }
    return "unknown";
}

KvType parseKvType(std::string_view name)
{
    for (const auto& [type, each] : kNames) {
        if (each == name)
            return type;
    }
    throw Error(ErrorCode::BadInput, "\"" + std::string(name) +
                                         "\" is not a way to store keys and values. Choose one of "
                                         "f16, int8, kivi4, kivi2 (or f32 for tests), with "
                                         "+coded behind it for a smaller file.");
}

std::string storeFormatName(const StoreFormat& format)
{
    return kvTypeName(format.type) + (format.coded ? std::string(kCodedSuffix) : "");
}

StoreFormat parseStoreFormat(std::string_view name)
{
    const bool coded = name.ends_with(kCodedSuffix);
    return {parseKvType(coded ? name.substr(0, name.size() - kCodedSuffix.size()) : name), coded};
}

} // namespace engine
