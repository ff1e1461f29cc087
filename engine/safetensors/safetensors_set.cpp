#include "engine/error.h"
#include "engine/safetensors/json_value.h"
#include "engine/safetensors/safetensors_file.h"

#include <fstream>
#include <iterator>

namespace engine {
namespace {

constexpr const char* kIndexName = "model.safetensors.index.json";
constexpr std::uintmax_t kMaxSmallFile = std::uintmax_t{64} << 20U;

/// The only *.safetensors file of a folder without an index.
std::filesystem::path onlyFileOf(const std::filesystem::path& folder)
{
    std::vector<std::filesystem::path> found;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
        if (entry.path().extension() == ".safetensors")
            found.push_back(entry.path());
    }
    if (found.size() != 1) {
        throw Error(ErrorCode::NotFound,
                    "The folder " + folder.string() + " has " + std::to_string(found.size()) +
                        " files that end in .safetensors and no " + kIndexName +
                        ". Choose a folder with the index, or with exactly one such file.",
                    failed ? failed.message() : std::string());
    }
    return found.front();
}

/// A shard's name must stay inside its folder.
bool isPlainName(const std::string& name)
{
    return !name.empty() && name != "." && name != ".." &&
           name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

} // namespace

std::string readSmallFile(const std::filesystem::path& path)
{
    std::error_code failed;
    const std::uintmax_t size = std::filesystem::file_size(path, failed);
    if (!failed && size > kMaxSmallFile) {
        throw Error(ErrorCode::TooLarge,
                    path.string() + " has more than 64 MiB, too much for a file of settings. "
                                    "Choose another folder.");
    }
    std::ifstream file(path, std::ios::binary);
    if (failed || !file) {
        throw Error(ErrorCode::NotFound, "The file " + path.string() +
                                             " is not there or cannot be read. Restore it, or "
                                             "choose another folder.");
    }
    return {std::istreambuf_iterator<char>(file), {}};
}

SafetensorsSet SafetensorsSet::open(const std::filesystem::path& path)
{
    SafetensorsSet set;
    set.m_name =
        path.filename().empty() ? path.parent_path().filename().string() : path.filename().string();
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
        const auto file = SafetensorsFile::open(path);
        set.metadata = file->metadata();
        set.addFile(file);
        return set;
    }
    const std::filesystem::path index = path / kIndexName;
    if (std::filesystem::exists(index, ignored)) {
        set.addShards(path, index);
    } else {
        const auto file = SafetensorsFile::open(onlyFileOf(path));
        set.metadata = file->metadata();
        set.addFile(file);
    }
    return set;
}

void SafetensorsSet::addFile(const std::shared_ptr<const SafetensorsFile>& file)
{
    for (const SafetensorsTensor& tensor : file->tensors()) {
        if (!m_entries.emplace(tensor.name, Entry{file, &tensor}).second) {
            throw Error(ErrorCode::Damaged, m_name + " is damaged: the tensor " + tensor.name +
                                                " stands in two files. Get the folder again.");
        }
    }
}

void SafetensorsSet::addShards(const std::filesystem::path& folder,
                               const std::filesystem::path& index)
{
    const JsonValue content = parseJson(readSmallFile(index), kIndexName);
    const JsonValue* map = content.find("weight_map");
    const auto fail = [&](const std::string& reason) {
        throw Error(ErrorCode::Damaged, std::string(kIndexName) + " is damaged: " + reason +
                                            ". Get the folder " + m_name + " again.");
    };
    if (map == nullptr || map->object() == nullptr)
        fail("it has no weight_map");
    if (map->object()->empty())
        fail("weight_map names no tensors");
    std::map<std::string, std::shared_ptr<const SafetensorsFile>> files;
    for (const auto& [tensor, value] : *map->object()) {
        const std::string* name = value.text();
        if (name == nullptr || !isPlainName(*name))
            fail("weight_map gives " + jsonString(tensor) + " a place that is not a file's name");
        auto& file = files[*name];
        if (!file) {
            file = SafetensorsFile::open(folder / *name);
            addFile(file);
        }
        if (file->findTensor(tensor) == nullptr)
            fail("the tensor " + tensor + " is not in " + *name);
    }
    if (m_entries.size() != map->object()->size())
        fail("the files have " + std::to_string(m_entries.size()) + " tensors, weight_map " +
             std::to_string(map->object()->size()));
}

const SafetensorsSet::Entry* SafetensorsSet::find(std::string_view name) const
{
    const auto found = m_entries.find(name);
    return found == m_entries.end() ? nullptr : &found->second;
}

} // namespace engine
