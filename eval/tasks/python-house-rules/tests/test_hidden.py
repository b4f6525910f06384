import re
import unittest

import slugs


class HouseRules(unittest.TestCase):
    def test_length(self):
        self.assertEqual(slugs.slug("a" * 50), "a" * 40)
        self.assertEqual(slugs.slug("a" * 39 + " b"), "a" * 39)
        self.assertEqual(slugs.slug("Hello, World!"), "hello-world")

    def test_limit_is_a_constant(self):
        constants = {name: value for name, value in vars(slugs).items() if name.isupper()}
        self.assertIn(40, constants.values())
        self.assertRegex(open("slugs.py", encoding="utf-8").read(), r"(?m)^[A-Z_]+ = 40 +#.*|^#.*\n[A-Z_]+ = 40$")

    def test_changelog(self):
        text = open("CHANGELOG.md", encoding="utf-8").read()
        unreleased = re.search(r"## Unreleased\n\n((?:- .*\n(?: .*\n)*)+)", text).group(1)
        self.assertRegex(unreleased, r"\A- `slug`")
        self.assertIn("- `slug` keeps digits.", unreleased)
        self.assertGreater(unreleased.count("\n- "), 0)
        self.assertTrue(text.endswith("## 1.2.0\n\n- First of its kind.\n"))


if __name__ == "__main__":
    unittest.main()
