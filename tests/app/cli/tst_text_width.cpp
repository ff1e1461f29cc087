// What a terminal is given, and how wide it is there.

#include "app/cli/text_width.h"

#include <doctest/doctest.h>

using namespace app;

TEST_CASE("no text from outside steers the terminal")
{
    CHECK(withoutControls("a\x1b[2Jb\x7f\r!") == "a[2Jb!");
    CHECK(withoutControls("\xc2\x9b"
                          "2Jd\xc2\x85") == "2Jd"); // C1, CSI in one character
    CHECK(withoutControls("line\n\tnext") == "line\n\tnext");
    CHECK(withoutControls("Tür \xe6\x97\xa5 \xf0\x9f\x93\x96") ==
          "Tür \xe6\x97\xa5 \xf0\x9f\x93\x96");
    CHECK(withoutControls("half \xe6\x97") == "half \xe6\x97");
    CHECK(withoutControls("").empty());
}

TEST_CASE("wide characters take two columns, marks none")
{
    CHECK(columnsOf("Tür") == 3);
    CHECK(columnsOf("u\xcc\x88") == 1);
    CHECK(columnsOf("\xe6\x97\xa5") == 2);
}
