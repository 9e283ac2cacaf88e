/* The boot sector of the whole disk: loads the program from sector 1 on with the BIOS's extended
   read, enters protected mode, copies it to 1 MiB and jumps there. CHUNKS (of 16 KiB) and ENTRY
   are given by the build. */
#define LOAD_SEGMENT 0x1000
#define LOAD_ADDRESS 0x10000
#define PROGRAM 0x100000
#define CHUNK_SECTORS 32
#define CODE 8
#define FLAT 16

.code16
.global boot
boot:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    sti
    cld
    mov %dl, drive
1:  mov $address_packet, %si
    mov $0x42, %ah
    mov drive, %dl
    int $0x13
    jc failed
    addl $CHUNK_SECTORS, first_sector
    addw $(CHUNK_SECTORS * 512 / 16), segment
    subw $1, chunks_left
    jnz 1b
    in $0x92, %al /* address line 20 */
    or $2, %al
    out %al, $0x92
    cli
    lgdt segments
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmp $CODE, $protected
failed:
    mov $0x0e45, %ax /* print an E */
    int $0x10
2:  hlt
    jmp 2b

.code32
protected:
    mov $FLAT, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $LOAD_ADDRESS, %esi
    mov $PROGRAM, %edi
    mov $(CHUNKS * CHUNK_SECTORS * 512 / 4), %ecx
    rep movsl
    mov $ENTRY, %eax
    jmp *%eax

.align 4
address_packet:
    .byte 16, 0
    .word CHUNK_SECTORS
    .word 0
segment:
    .word LOAD_SEGMENT
first_sector:
    .long 1, 0
chunks_left:
    .word CHUNKS
drive:
    .byte 0
.align 8
segment_table:
    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
segments:
    .word 23
    .long segment_table
.org 510
.word 0xaa55
