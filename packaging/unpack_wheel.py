"""Unpacks a wheel's files of interest: unpack_wheel.py WHEEL PATTERN PREFIX.

A member that PATTERN matches goes to PREFIX under the name of its first group.
"""

import os
import re
import shutil
import sys
import zipfile

wheel, pattern, prefix = sys.argv[1:]
found = False
with zipfile.ZipFile(wheel) as archive:
    for member in archive.infolist():
        match = re.search(pattern, member.filename)
        if not match or member.is_dir():
            continue
        path = os.path.join(prefix, match.group(1))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(member) as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target)
        os.chmod(path, member.external_attr >> 16 & 0o777 or 0o644)
        found = True
if not found:
    sys.exit(f"{wheel}: expects members matching '{pattern}', got none")
