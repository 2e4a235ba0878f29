#!/usr/bin/env python3
"""page.html as a C array."""
import sys

data = open(sys.argv[1], 'rb').read()
with open(sys.argv[2], 'w') as out:
    out.write('#include <stddef.h>\nextern const char page_html[];\nextern const size_t page_html_n;\n')
    out.write('const char page_html[] = {\n')
    for i in range(0, len(data), 16):
        # A char may be signed.
        out.write(','.join(str(b - 256 if b > 127 else b) for b in data[i:i + 16]) + ',\n')
    out.write('0};\nconst size_t page_html_n = sizeof(page_html) - 1;\n')
