// The smallest service: what is written is the answer.
process.stdout.write("Content-Type: text/plain; charset=utf-8\n\n");
process.stdout.write("Hello from AssemblyScript.\n");
