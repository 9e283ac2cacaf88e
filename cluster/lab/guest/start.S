/* Where the program begins: called by QEMU (-kernel, multiboot) and by the boot sector, both in
   32-bit protected mode with flat segments. And the entries of interrupts and faults. */
#define MULTIBOOT_MAGIC 0x1BADB002
#define MULTIBOOT_FLAGS 3
#define CODE 8
#define FLAT 16

.section .multiboot, "a"
.align 4
.long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

.section .text.start, "ax"
.global _start
_start:
    cli
    cld
    lgdt segments
    ljmp $CODE, $1f
1:  mov $FLAT, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov %ax, %fs
    mov %ax, %gs
    mov $stack_top, %esp
    xor %eax, %eax
    mov $__bss_start, %edi
    mov $__bss_end, %ecx
    sub %edi, %ecx
    rep stosb
    call guest_main
2:  hlt
    jmp 2b

.global interrupt_entry
interrupt_entry:
    pusha
    cld
    call on_interrupt
    popa
    iret

.global fault_entry
fault_entry:
    cli
    call on_fault
3:  hlt
    jmp 3b

.align 8
segment_table:
    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
segments:
    .word 23
    .long segment_table

.section .bss
.align 16
.space 16384
stack_top:
