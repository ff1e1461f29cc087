#include "engine/gguf/gguf_file.h"
#include "engine/gguf/gguf_writer.h"

#include <array>
#include <cstring>
#include <doctest/doctest.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace tests {
namespace {

/// A folder of its own that goes away with its files.
class Folder
{
public:
    Folder()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "gguf-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        m_path = pattern;
    }
    ~Folder() { std::filesystem::remove_all(m_path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::filesystem::path operator/(const char* name) const { return m_path / name; }
    const std::filesystem::path& path() const { return m_path; }

private:
    std::filesystem::path m_path;
};

void checkRefusal(const std::filesystem::path& path, engine::ErrorCode code, std::string_view part)
{
    try {
        engine::GgufFile::open(path);
        FAIL_CHECK("accepted " << path.string());
    } catch (const engine::Error& error) {
        CHECK(error.code() == code);
        CAPTURE(error.what());
        CHECK(std::string_view(error.what()).find(part) != std::string_view::npos);
    }
}

} // namespace

TEST_CASE("a written file is mapped from the disk")
{
    const Folder folder;
    engine::GgufWriter writer;
    writer.setString("general.name", "tiny");
    const std::array<float, 8> weights = {1, 2, 3, 4, 5, 6, 7, 8};
    writer.addTensor("w", {8}, 0, std::as_bytes(std::span(weights)));
    writer.write(folder / "model.gguf");

    const auto file = engine::GgufFile::open(folder / "model.gguf");
    CHECK(file->name() == "model.gguf");
    CHECK(file->stringOf("general.name") == "tiny");
    const auto data = file->data(file->tensors().front());
    CHECK(std::memcmp(data.data(), weights.data(), sizeof(weights)) == 0);

    std::filesystem::resize_file(folder / "model.gguf", writer.bytes().size() - 1);
    checkRefusal(folder / "model.gguf", engine::ErrorCode::Damaged, "not complete");
}

TEST_CASE("what is no model file gets a sentence with a way out")
{
    const Folder folder;
    using engine::ErrorCode;
    checkRefusal(folder / "missing.gguf", ErrorCode::NotFound, "is not there");
    checkRefusal(folder.path(), ErrorCode::Unsupported, "is a folder, not a model file");
    std::ofstream(folder / "empty.gguf").close();
    checkRefusal(folder / "empty.gguf", ErrorCode::Damaged, "empty.gguf is empty");
    std::ofstream(folder / "notes.txt") << "GG";
    checkRefusal(folder / "notes.txt", ErrorCode::Unsupported,
                 "notes.txt is not a GGUF model file: it does not start with the letters GGUF. "
                 "Choose a file that ends in .gguf.");
    REQUIRE(::mkfifo((folder / "pipe.gguf").c_str(), 0600) == 0);
    checkRefusal(folder / "pipe.gguf", ErrorCode::Unsupported, "not an ordinary file");
    if (::geteuid() == 0) {
        MESSAGE("SKIP   : root may read every file");
        return;
    }
    std::filesystem::permissions(folder / "notes.txt", std::filesystem::perms::none);
    checkRefusal(folder / "notes.txt", ErrorCode::NotFound, "permission was denied");
}

TEST_CASE("the writer says what is wrong with the place it should write to")
{
    const Folder folder;
    const engine::GgufWriter writer;
    CHECK_THROWS_AS(writer.write(folder / "missing" / "model.gguf"), engine::Error);
    if (!std::filesystem::exists("/dev/full")) {
        MESSAGE("SKIP   : no device that is always full");
        return;
    }
    try {
        writer.write("/dev/full");
        FAIL_CHECK("written to a full disk");
    } catch (const engine::Error& error) {
        CHECK(error.code() == engine::ErrorCode::DiskFull);
    }
}

} // namespace tests
