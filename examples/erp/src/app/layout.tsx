import type { Metadata } from "next";
import type { ReactNode } from "react";

export const metadata: Metadata = { title: "ERP", metadataBase: new URL(process.env.NEXT_PUBLIC_APP_URL ?? "http://localhost:3000") };

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
