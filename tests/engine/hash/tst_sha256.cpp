#include "engine/hash/sha256.h"

#include <doctest/doctest.h>
#include <string_view>

namespace tests {
namespace {

std::string digestOf(std::string_view text)
{
    engine::Sha256 hash;
    hash.update(std::as_bytes(std::span(text)));
    return hash.hexDigest();
}

} // namespace

TEST_CASE("SHA-256 gives the digests of the standard's examples")
{
    CHECK(digestOf("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(digestOf("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(digestOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(digestOf(std::string(1'000'000, 'a')) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("bytes may come in any pieces, and a digest does not end the stream")
{
    const std::string text(300, 'x');
    for (const std::size_t step : {1U, 7U, 55U, 63U, 64U, 65U, 300U}) {
        engine::Sha256 hash;
        for (std::size_t i = 0; i < text.size(); i += step) {
            const std::string_view piece = std::string_view(text).substr(i, step);
            hash.update(std::as_bytes(std::span(piece)));
            CHECK(hash.hexDigest() == digestOf(text.substr(0, i + piece.size())));
        }
    }
}

} // namespace tests
