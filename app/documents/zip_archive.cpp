#include "app/documents/zip_archive.h"

#include "app/documents/file_name.h"
#include "engine/error.h"

#include <algorithm>
#include <array>
#include <zip.h>

namespace app {

namespace {

using engine::Error;
using engine::ErrorCode;

constexpr zip_flags_t kExactName = ZIP_FL_ENC_RAW;

struct CloseEntry
{
    void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};

} // namespace

void ZipArchive::Close::operator()(zip* archive) const
{
    zip_discard(archive);
}

ZipArchive::ZipArchive(const std::filesystem::path& file)
    : m_fileName(quotedName(file))
{
    int code = 0;
    m_archive.reset(zip_open(file.c_str(), ZIP_RDONLY, &code));
    if (!m_archive)
        throw Error(
            ErrorCode::Damaged,
            m_fileName +
                " is damaged: its archive directory cannot be read. Try another copy of it.",
            "zip_open: " + std::to_string(code));
    if (zip_get_num_entries(m_archive.get(), 0) > kMaxEntries)
        throw Error(ErrorCode::TooLarge, m_fileName + " holds more than " +
                                             std::to_string(kMaxEntries) +
                                             " parts, which no book needs; it was not opened.");
}

bool ZipArchive::contains(const std::string& name) const
{
    return zip_name_locate(m_archive.get(), name.c_str(), kExactName) >= 0;
}

std::string ZipArchive::read(const std::string& name)
{
    const zip_int64_t index = zip_name_locate(m_archive.get(), name.c_str(), kExactName);
    if (index < 0)
        throw Error(ErrorCode::NotFound,
                    m_fileName + " is incomplete: a part that it names is not in it.", name);
    const auto position = static_cast<zip_uint64_t>(index);
    zip_stat_t information;
    zip_stat_init(&information);
    if (zip_stat_index(m_archive.get(), position, 0, &information) != 0)
        throw Error(ErrorCode::Damaged, m_fileName + " is damaged: a part of it cannot be found.",
                    name);
    if (information.encryption_method != ZIP_EM_NONE)
        throw Error(ErrorCode::Unsupported,
                    m_fileName + " is locked with a password. Import a copy that is not.", name);
    const std::unique_ptr<zip_file_t, CloseEntry> entry(
        zip_fopen_index(m_archive.get(), position, 0));
    if (!entry)
        throw Error(ErrorCode::Damaged,
                    m_fileName + " is damaged: a part of it cannot be unpacked.",
                    name + ": " + zip_strerror(m_archive.get()));

    // The packed size cannot be understated to evade the ratio: a smaller one only makes the limit
    // tighter, and an overstated one is bounded by the size of the file.
    const std::uint64_t packed = std::max<std::uint64_t>(information.comp_size, 1);
    std::string bytes;
    std::array<char, 65536> buffer{};
    for (;;) {
        const zip_int64_t got = zip_fread(entry.get(), buffer.data(), buffer.size());
        if (got < 0)
            throw Error(ErrorCode::Damaged,
                        m_fileName + " is damaged: a part of it cannot be unpacked.",
                        name + ": " + zip_file_strerror(entry.get()));
        if (got == 0)
            return bytes;
        bytes.append(buffer.data(), static_cast<std::size_t>(got));
        m_totalBytes += static_cast<std::uint64_t>(got);
        const bool bomb = bytes.size() > kRatioFreeBytes && bytes.size() / packed > kMaxRatio;
        if (bomb || bytes.size() > kMaxEntryBytes || m_totalBytes > kMaxTotalBytes)
            throw Error(ErrorCode::TooLarge,
                        m_fileName +
                            " unpacks to far more data than a book holds; it was not read further.",
                        name);
    }
}

} // namespace app
