#include "app/documents/text_decoding.h"

#include "app/documents/utf8.h"
#include "engine/error.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <iconv.h>
#include <memory>
#include <string_view>
#include <uchardet.h>
#include <utility>

namespace app {

namespace {

using engine::Error;
using engine::ErrorCode;

constexpr std::size_t kGuessBytes = std::size_t{4}
                                    << 20; // more does not change the guess, only its time
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

struct ByteOrderMark
{
    std::string_view bytes;
    const char* encoding;
};

// The four-byte marks come first: that of UTF-32LE begins with that of UTF-16LE.
constexpr std::array<ByteOrderMark, 5> kMarks = {{
    {std::string_view("\xff\xfe\0\0", 4), "UTF-32LE"},
    {std::string_view("\0\0\xfe\xff", 4), "UTF-32BE"},
    {std::string_view("\xef\xbb\xbf", 3), "UTF-8"},
    {std::string_view("\xff\xfe", 2), "UTF-16LE"},
    {std::string_view("\xfe\xff", 2), "UTF-16BE"},
}};

/// Closes a converter of iconv.
class Converter
{
public:
    explicit Converter(const std::string& encoding)
        : m_handle(iconv_open("UTF-8", encoding.c_str()))
    {}
    ~Converter()
    {
        if (isOpen())
            iconv_close(m_handle);
    }
    Converter(const Converter&) = delete;
    Converter& operator=(const Converter&) = delete;

    bool isOpen() const { return m_handle != std::bit_cast<iconv_t>(std::intptr_t{-1}); }
    iconv_t handle() const { return m_handle; }

private:
    iconv_t m_handle;
};

/// Text in western languages has its zero bytes on one side of each pair only.
std::string utf16WithoutMark(std::string_view bytes)
{
    std::array<std::size_t, 2> zeros{};
    const std::string_view sample = bytes.substr(0, kGuessBytes);
    for (std::size_t i = 0; i < sample.size(); ++i)
        zeros[i % 2] += sample[i] == '\0' ? 1 : 0;
    const std::size_t pairs = sample.size() / 2;
    if (bytes.size() % 2 != 0 || pairs == 0)
        return {};
    if (zeros[1] > pairs / 2 && zeros[0] <= pairs / 100)
        return "UTF-16LE";
    if (zeros[0] > pairs / 2 && zeros[1] <= pairs / 100)
        return "UTF-16BE";
    return {};
}

std::string guessEncoding(std::string_view bytes)
{
    const std::unique_ptr<std::remove_pointer_t<uchardet_t>, void (*)(uchardet_t)> detector(
        uchardet_new(), &uchardet_delete);
    // The guess needs the bytes that are not ASCII, which may begin late in a large file.
    const std::size_t first = std::min(findInvalidUtf8(bytes), bytes.size());
    const std::string_view sample =
        bytes.substr(first > kGuessBytes / 2 ? first - kGuessBytes / 2 : 0).substr(0, kGuessBytes);
    if (uchardet_handle_data(detector.get(), sample.data(), sample.size()) != 0)
        return "WINDOWS-1252";
    uchardet_data_end(detector.get());
    const std::string guess = uchardet_get_charset(detector.get());
    const bool useless = guess.empty() || guess == "ASCII" || guess == "UTF-8";
    return useless || !Converter(guess).isOpen() ? "WINDOWS-1252" : guess;
}

DecodedText convert(std::string_view bytes, const std::string& encoding)
{
    const Converter converter(encoding);
    DecodedText result{.text = {}, .encoding = encoding};
    result.text.reserve(bytes.size() + bytes.size() / 4);
    std::array<char, 16384> buffer{};
    char* input =
        const_cast<char*>(bytes.data()); // iconv() reads only, its signature is older than const
    std::size_t left = bytes.size();
    while (left > 0) {
        char* output = buffer.data();
        std::size_t room = buffer.size();
        const std::size_t status = iconv(converter.handle(), &input, &left, &output, &room);
        result.text.append(buffer.data(), buffer.size() - room);
        if (status == static_cast<std::size_t>(-1) && errno != E2BIG) {
            result.text += kReplacement;
            result.lossy = true;
            const std::size_t skipped =
                std::min<std::size_t>(left, encoding.starts_with("UTF-16") ? 2 : 1);
            input += skipped;
            left -= skipped;
        }
    }
    return result;
}

bool isUnwantedControl(char byte)
{
    const auto value = static_cast<unsigned char>(byte);
    return (value < 0x20 && byte != '\t' && byte != '\n' && byte != '\r' && byte != '\f') ||
           value == 0x7f;
}

/// A few stray control characters (old printer codes, an end-of-file mark) do not make a file
/// binary.
void requireText(std::string_view bytes, const std::string& fileName)
{
    const std::string_view sample = bytes.substr(0, kGuessBytes);
    const auto controls =
        static_cast<std::size_t>(std::ranges::count_if(sample, isUnwantedControl));
    if (controls > 2 + sample.size() / 200 || sample.find('\0') != std::string_view::npos)
        throw Error(
            ErrorCode::Unsupported,
            fileName +
                " is not a text: it holds binary data. Documents can be PDF, EPUB, Markdown or "
                "plain text.");
}

void unifyLineEnds(std::string& text)
{
    std::size_t out = 0;
    for (std::size_t in = 0; in < text.size(); ++in) {
        char byte = text[in];
        if (byte == '\r') {
            if (in + 1 < text.size() && text[in + 1] == '\n')
                continue;
            byte = '\n';
        }
        if (!isUnwantedControl(byte))
            text[out++] = byte;
    }
    text.resize(out);
}

} // namespace

DecodedText decodeText(std::string bytes, const std::string& fileName)
{
    const auto mark = std::ranges::find_if(
        kMarks, [&](const ByteOrderMark& candidate) { return bytes.starts_with(candidate.bytes); });
    std::string encoding = mark == kMarks.end() ? std::string() : mark->encoding;
    if (mark != kMarks.end())
        bytes.erase(0, mark->bytes.size());
    const bool valid = findInvalidUtf8(bytes) == std::string_view::npos;
    if (encoding.empty())
        encoding = utf16WithoutMark(bytes);
    if (encoding.empty() && valid)
        encoding = "UTF-8";
    if (encoding.empty()) {
        requireText(bytes, fileName);
        encoding = guessEncoding(bytes);
    }

    DecodedText result;
    if (encoding == "UTF-8" && valid)
        result = {.text = std::move(bytes), .encoding = encoding};
    else
        result = convert(bytes, encoding);
    requireText(result.text, fileName);
    unifyLineEnds(result.text);
    return result;
}

} // namespace app
