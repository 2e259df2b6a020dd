import js from "@eslint/js";
import ts from "typescript-eslint";

export default ts.config(
  { ignores: ["node_modules", "dist", "src/api/schema.ts"] },
  js.configs.recommended,
  ...ts.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ["eslint.config.js", "scripts/api.js"] } },
    },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-non-null-assertion": "off",
      // Logs of terminals are full of control characters.
      "no-control-regex": "off",
      // uPlot declares const enums, of which there is nothing at run time.
      "@typescript-eslint/no-unsafe-enum-assignment": "off",
    },
  },
  { files: ["eslint.config.js", "scripts/*.js"], ...ts.configs.disableTypeChecked },
);
